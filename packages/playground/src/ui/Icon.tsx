const PATHS = {
  menu: 'M4 7h16M4 12h16M4 17h16',
  panel: 'M4 5h16v14H4zM9.5 5v14',
  inspect: 'M4 5h16v14H4zM14 5v14M16.5 9h1.5M16.5 12h1.5',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6L6 18',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7z',
  attach: 'M19 11.5l-7.2 7.2a4.6 4.6 0 0 1-6.5-6.5l7.6-7.6a3 3 0 0 1 4.3 4.3l-7.5 7.5a1.5 1.5 0 0 1-2.1-2.1l6.8-6.8',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  edit: 'M5 19l1-4L16 5l3 3L9 18zM14 7l3 3',
  retry: 'M19 5v5h-5M18.6 10A7 7 0 1 0 19 14',
  up: 'M7 11v8H4v-8zM7 11l4-7c1.6 0 2.4 1.2 2.1 2.6L12.5 10H18a1.8 1.8 0 0 1 1.8 2.2l-1.3 5.4A1.8 1.8 0 0 1 16.7 19H7',
  down: 'M17 13V5h3v8zM17 13l-4 7c-1.6 0-2.4-1.2-2.1-2.6L11.5 14H6a1.8 1.8 0 0 1-1.8-2.2l1.3-5.4A1.8 1.8 0 0 1 7.3 5H17',
  chevron: 'M9 6l6 6-6 6',
  arrow: 'M12 5v14M6 13l6 6 6-6',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6L7 7M17 17l1.4 1.4M18.4 5.6L17 7M7 17l-1.4 1.4',
  moon: 'M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.5 9.5z',
  system: 'M4 5h16v11H4zM9 20h6M12 16v4',
  settings:
    'M10.2 5.2L10.4 2.9L13.6 2.9L13.8 5.2L15.5 5.9L17.3 4.5L19.5 6.7L18.1 8.5L18.8 10.2L21.1 10.4L21.1 13.6L18.8 13.8L18.1 15.5L19.5 17.3L17.3 19.5L15.5 18.1L13.8 18.8L13.6 21.1L10.4 21.1L10.2 18.8L8.5 18.1L6.7 19.5L4.5 17.3L5.9 15.5L5.2 13.8L2.9 13.6L2.9 10.4L5.2 10.2L5.9 8.5L4.5 6.7L6.7 4.5L8.5 5.9zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  sliders: 'M6 4v7M6 15v5M12 4v3M12 11v9M18 4v9M18 17v3M4 11h4M10 11h4M16 13h4',
  keyboard: 'M3 7h18v10H3zM7 10.5h.01M11 10.5h.01M15 10.5h.01M18 10.5h.01M8 14h8',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  tool: 'M14.5 6.5a4 4 0 0 1 5-2.2l-2.6 2.6.6 2 2 .6 2.3-2.6a4 4 0 0 1-5.6 4.7L9 18.8a2 2 0 0 1-2.8-2.8l7.2-7.2',
  thought: 'M9 18h6M10 21h4M12 3a6 6 0 0 0-3.5 10.9V15h7v-1.1A6 6 0 0 0 12 3z',
  alert: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  pause: 'M9 6v12M15 6v12',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1'
} as const

export type IconName = keyof typeof PATHS

/** Decoration: what stands beside it, or the button's label, says the same in words. */
export function Icon({name}: {name: IconName}) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}
