/** Blocks and list items, each rendered again only when it is another object. */

import type {Element, Nodes} from 'hast'
import type {AlignType, ListItem, Root, RootContent, Table as TableNode, TableRow} from 'mdast'
import {memo} from 'react'
import {CodeBlock} from './code-block.js'
import type {Block, ListBlock, Part, TableBlock} from './document.js'
import {elements, htmlTree, Table} from './elements.js'

/** One block. `prefix` makes the ids of footnotes unique in the page. */
export const BlockView = memo(function BlockView({block, prefix}: {block: Block; prefix: string}) {
  switch (block.kind) {
    case 'code':
      return <CodeBlock language={block.language} text={block.text} />
    case 'list':
      return <ListView list={block} prefix={prefix} />
    case 'table':
      return <TableView table={block} prefix={prefix} />
    case 'flow':
      return elements(htmlTree(rootOf(block), prefix))
  }
})

function ListView({list, prefix}: {list: ListBlock; prefix: string}) {
  const {items, loose} = list
  const className = items.some(({content}) => typeof content.checked === 'boolean') ? 'contains-task-list' : undefined
  const children = items.map(item => <ItemView key={item.key} item={item} loose={loose} prefix={prefix} />)
  if (!list.ordered) return <ul className={className}>{children}</ul>
  return (
    <ol className={className} start={list.start === 1 ? undefined : list.start}>
      {children}
    </ol>
  )
}

interface ItemProperties {
  readonly item: Part<ListItem>
  readonly loose: boolean
  readonly prefix: string
}

const ItemView = memo(function ItemView({item, loose, prefix}: ItemProperties) {
  const {content, definitions} = item
  const root: Root = {
    type: 'root',
    children: [...definitions, {type: 'list', spread: loose, children: [{...content, spread: loose}]}]
  }
  return only('li', htmlTree(root, prefix))
})

function TableView({table, prefix}: {table: TableBlock; prefix: string}) {
  const {head, rows} = table
  const align = head.content.align ?? NO_ALIGNMENT
  return (
    <Table>
      <HeadView head={head} prefix={prefix} />
      {rows.length > 0 && (
        <tbody>
          {rows.map(row => (
            <RowView key={row.key} row={row} align={align} prefix={prefix} />
          ))}
        </tbody>
      )}
    </Table>
  )
}

const NO_ALIGNMENT: AlignType[] = []

const HeadView = memo(function HeadView({head, prefix}: {head: Part<TableNode>; prefix: string}) {
  return only('thead', htmlTree(rootOf(head), prefix))
})

interface RowProperties {
  readonly row: Part<TableRow>
  readonly align: AlignType[]
  readonly prefix: string
}

const RowView = memo(function RowView({row, align, prefix}: RowProperties) {
  const head: TableRow = {type: 'tableRow', children: []}
  const table: TableNode = {type: 'table', align, children: [head, row.content]}
  const body = within('tbody', htmlTree({type: 'root', children: [...row.definitions, table]}, prefix))
  return body ? only('tr', body) : null
})

function rootOf({content, definitions}: Part<RootContent | Root>): Root {
  const children = content.type === 'root' ? content.children : [content]
  // The first definition of a label counts, also where the content has one of its own.
  return {type: 'root', children: [...definitions, ...children]}
}

/** The first element of that name in `tree`, as React elements. */
function only(name: string, tree: Nodes) {
  const found = within(name, tree)
  return found ? elements(found) : null
}

function within(name: string, tree: Nodes): Element | undefined {
  if (tree.type === 'element' && tree.tagName === name) return tree
  if (!('children' in tree)) return undefined
  for (const child of tree.children) {
    const found = within(name, child)
    if (found) return found
  }
  return undefined
}
