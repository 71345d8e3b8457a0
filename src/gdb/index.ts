/** gdb's remote protocol for machines: `virtlab/gdb`. */
export { type Exchange, proceed, receive } from "./exchange.js";
export { type GdbServer, type ServeOptions, serveGdb } from "./server.js";
export { beginSession, type Session, type Typed } from "./session.js";
