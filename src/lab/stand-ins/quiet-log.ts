/**
 * Stands in for lib0/logging, through which yjs warns of how JupyterLab makes its models: hundreds of lines for each
 * notebook, about nothing that a reader of the console could change.
 */

export const BOLD = "";
export const UNBOLD = "";
export const ORANGE = "";
export const RED = "";
export const print = (): void => {};
export const warn = (): void => {};
