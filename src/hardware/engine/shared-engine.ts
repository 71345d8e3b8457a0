/** The engine that all machines of a process share. */
import { Engine } from "./engine.js";

let engine: Engine | undefined;

/** Made at the first step. */
export const sharedEngine = (): Engine => (engine ??= new Engine());
