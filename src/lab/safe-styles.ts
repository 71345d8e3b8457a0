/** Takes the styles out of HTML that nobody vouches for: what is left of them can load nothing. */

export interface SplitHtml {
  readonly styles: string;
  readonly rest: string;
}

const STYLE = /<style\b[^>]*>([\s\S]*?)<\/style\s*>/gi;
/** What makes a browser fetch something, also written with escapes, which no style of ours needs. */
const LOADS = /@import|url\s*\(|image-set\s*\(|src\s*\(|\\/i;

export function safeStyles(html: string): SplitHtml {
  const styles = [...html.matchAll(STYLE)].map(([, css]) => css!);
  return { styles: styles.filter((css) => !LOADS.test(css)).join("\n"), rest: html.replace(STYLE, "") };
}
