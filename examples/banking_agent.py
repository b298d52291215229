"""A banking agent with two tools: what an investment returns, and what a loan costs a month.

Run it with `python -m examples.banking_agent`, and ask for the ROI of 10000 at 5 % over 10 years.

Real: the agent, its tools and their results. With `--model` the model chooses the tools. The embedded model cannot, so
there code chooses the tool by a word of the question, and the model fills in the arguments: see `guided.py`.
"""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from examples.guided import Hint
from examples.guided_chat import chat_model
from examples.models import Model, run

SYSTEM = "You are a bank's assistant. Work out every number with a tool, and answer in one or two sentences."


@tool
def calculate_roi(amount: float, annual_percent: float, years: int) -> str:
    """Work out the return on an investment whose interest is compounded once a year."""
    end = amount * (1 + annual_percent / 100) ** years
    roi = 100 * (end / amount - 1)
    return f"{amount:,.2f} at {annual_percent:g} % a year is {end:,.2f} after {years} years: an ROI of {roi:.2f} %."


@tool
def monthly_payment(loan: float, annual_percent: float, years: int) -> str:
    """Work out what a loan costs each month, if it is paid back in equal payments."""
    rate, months = annual_percent / 1200, years * 12
    payment = loan / months if rate == 0 else loan * rate / (1 - (1 + rate) ** -months)
    return f"A loan of {loan:,.2f} at {annual_percent:g} % over {years} years costs {payment:,.2f} a month."


def build(model: Model) -> Any:
    """The agent: the same for every model."""
    return create_agent(
        chat_model(model, HINTS),
        [calculate_roi, monthly_payment],
        system_prompt=SYSTEM,
        checkpointer=InMemorySaver(),
        name="bank",
    )


def _loan(loan: float, annual_percent: float, years: int) -> dict[str, float]:
    return {"loan": loan, "annual_percent": annual_percent, "years": years}


def _investment(amount: float, annual_percent: float, years: int) -> dict[str, float]:
    return {"amount": amount, "annual_percent": annual_percent, "years": years}


HINTS = [
    Hint(
        tool="monthly_payment",
        when=r"\b(loan|mortgage|borrow|month)",
        shots=[
            ("What do I pay a month for a loan of 9000 at 4% over 3 years?", _loan(9000, 4, 3)),
            ("I borrow 150,000 for 25 years, at 3.5 percent. How much a month?", _loan(150000, 3.5, 25)),
            ("Mortgage: $80,000, 6% interest, 10 years. Monthly payment?", _loan(80000, 6, 10)),
            ("At 7% and over 2 years, what does a loan of 500 euros cost each month?", _loan(500, 7, 2)),
        ],
    ),
    Hint(
        tool="calculate_roi",
        when=r"%|\b(roi|return|invest|grow|saving|interest|percent)",
        shots=[
            ("How much do I get from 700 at 2% in 4 years?", _investment(700, 2, 4)),
            ("For 15 years I put 36,000 dollars away, at 6.5 percent. ROI?", _investment(36000, 6.5, 15)),
            ("What is the return of 1200 euros at 8% over 9 years?", _investment(1200, 8, 9)),
            ("ROI at 1.5% a year, 30 years, $90,000?", _investment(90000, 1.5, 30)),
        ],
    ),
]

if __name__ == "__main__":
    run("A banking agent", build)
