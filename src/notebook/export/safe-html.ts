/**
 * HTML of displays made harmless: parsed as a browser does, reduced to elements and attributes that only show something,
 * and written again, so that it is well-formed too. Scripts, frames, forms and whatever loads from elsewhere are left
 * out, but for the data of scrubbers. Manual: HTML Standard, "Parsing HTML documents".
 */
import { JSDOM } from "jsdom";
import { inertJson } from "../../view/scrubber/inert-json.js";

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

const HTML_ELEMENTS = words(
  `a abbr article aside b bdi bdo blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption
  figure footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q rp rt ruby s samp section small span
  strong style sub summary sup table tbody td tfoot th thead time tr u ul var wbr`,
);

/** Elements that are dropped while what they hold is kept; everything unknown goes with what it holds. */
const TRANSPARENT = words("big button center fieldset font form label legend output tt");

const SVG_ELEMENTS = words(
  `svg g defs symbol use path rect circle ellipse line polyline polygon text tspan marker linearGradient radialGradient
  stop clipPath pattern mask title desc`,
);

const HTML_ATTRIBUTES = words(
  `align alt cellpadding cellspacing class colspan datetime dir headers height lang open reversed role rowspan scope span
  start style tabindex title valign value width`,
);

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
const HTML_NAMESPACE = "http://www.w3.org/1999/xhtml";

/** CSS that loads from elsewhere, also where escapes hide it. Plain escapes are used for characters only. */
const LOADS = /@import|\b(?:url|image|src|image-set|expression)\s*\(/i;

let shared: Document | undefined;
/** One empty document without scripts or loading, in which everything is parsed. */
const parser = (): Document => (shared ??= new JSDOM("").window.document);

/** The HTML without what could run, load or submit something. */
export function safeHtml(html: string): string {
  const template = parser().createElement("template");
  template.innerHTML = html;
  for (const child of [...template.content.childNodes]) clean(child);
  return template.innerHTML;
}

/** Whether a link may be followed: to the web, to mail, or inside of the page and its folder. */
export function isSafeLink(address: string): boolean {
  // Browsers pass over white space and control characters in a scheme.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  const scheme = /^([^/?#]*):/.exec(address.replace(/[\u0000-\u0020\u007f-\u009f]/g, ""))?.[1];
  return scheme === undefined || ["http", "https", "mailto"].includes(scheme.toLowerCase());
}

/** Whether a picture is contained in its address. */
export function isEmbeddedImage(address: string): boolean {
  return /^data:image\/(?:png|jpeg|gif|webp|svg\+xml)[;,]/i.test(address);
}

function clean(node: ChildNode): void {
  if (node.nodeType === node.TEXT_NODE) return;
  if (node.nodeType !== node.ELEMENT_NODE) {
    node.remove();
    return;
  }
  const element = node as Element;
  const name = element.localName;
  if (element.namespaceURI === HTML_NAMESPACE && TRANSPARENT.has(name)) {
    const children = [...element.childNodes];
    element.replaceWith(...children);
    for (const child of children) clean(child);
    return;
  }
  if (keepsData(element)) {
    for (const { name: own } of [...element.attributes]) if (own !== "type") element.removeAttribute(own);
    return;
  }
  if (!isAllowed(element)) {
    element.remove();
    return;
  }
  for (const attribute of [...element.attributes]) {
    if (!isAllowedAttribute(element, attribute)) element.removeAttributeNode(attribute);
  }
  // In SVG these hold HTML again, which could read differently the next time; their text is all that is shown.
  if (element.namespaceURI === SVG_NAMESPACE && (name === "title" || name === "desc")) {
    element.replaceChildren(element.textContent ?? "");
    return;
  }
  if (name === "a" && element.hasAttribute("href")) element.setAttribute("rel", "noopener noreferrer");
  for (const child of [...element.childNodes]) clean(child);
}

/** Data of a scrubber: JSON, which no browser runs. It is written again so that no end of an element can be in it. */
function keepsData(element: Element): boolean {
  if (element.namespaceURI !== HTML_NAMESPACE || element.localName !== "script") return false;
  if (element.getAttribute("type") !== "application/json" || element.closest(".vl-scrubber") === null) return false;
  try {
    element.textContent = inertJson(JSON.parse(element.textContent ?? ""));
    return true;
  } catch {
    return false;
  }
}

function isAllowed(element: Element): boolean {
  if (element.namespaceURI === SVG_NAMESPACE) return SVG_ELEMENTS.has(element.localName);
  if (element.namespaceURI !== HTML_NAMESPACE || !HTML_ELEMENTS.has(element.localName)) return false;
  return element.localName !== "style" || !LOADS.test(withoutEscapes(element.textContent ?? ""));
}

function isAllowedAttribute(element: Element, { name, value }: Attr): boolean {
  const isSvg = element.namespaceURI === SVG_NAMESPACE;
  const lowerName = name.toLowerCase();
  if (lowerName === "style") return !LOADS.test(withoutEscapes(value));
  if (lowerName === "href" || lowerName === "xlink:href") {
    return isSvg ? value.startsWith("#") : element.localName === "a" && lowerName === "href" && isSafeLink(value);
  }
  if (lowerName === "src") return element.localName === "img" && isEmbeddedImage(value);
  // A name of the display's own must not be taken for one of the page's; drawings refer to their parts by name.
  if (lowerName === "id") return isSvg;
  if (/^(?:aria|data)-[a-z0-9-]+$/.test(lowerName) || HTML_ATTRIBUTES.has(lowerName)) return true;
  return isSvg && /^[a-z][a-z0-9-]*$/.test(lowerName) && !lowerName.startsWith("on");
}

/** CSS with its escapes replaced by the characters they stand for. */
function withoutEscapes(css: string): string {
  return css
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\\([0-9a-f]{1,6})\s?/gi, (_, digits: string) =>
      String.fromCodePoint(Math.min(Number.parseInt(digits, 16), 0x10ffff)),
    )
    .replace(/\\/g, "");
}
