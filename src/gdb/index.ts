/** gdb's remote protocol for machines: `virtlab/gdb`. */
export { type GdbServer, type ServeOptions, serveGdb } from "./server.js";
export type { Typed } from "./session.js";
