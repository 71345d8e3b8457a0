/** Elements of the page in one expression: `element("button", { class: "quiet", onclick: run }, "Run")`. */

export type Attribute = string | number | boolean | undefined | ((event: never) => void);
export type Child = Node | string | undefined;

/** Functions become listeners (`onclick`), true an empty attribute; false and undefined leave it out. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value as EventListener);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

/** An element from markup of our own, such as an icon. */
export function drawn(markup: string): Element {
  const template = document.createElement("template");
  template.innerHTML = markup.trim();
  return template.content.firstElementChild!;
}
