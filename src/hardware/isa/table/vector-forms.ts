/** What definitions of MMX and SSE instructions share: the group they came with, and the registers they work on. */
import type { Definition, InstructionGroup } from "../instruction.js";

type Shared = Pick<Definition, "group" | "unit" | "since">;

/** An instruction on XMM registers. */
export const xmmForm = (group: InstructionGroup): Shared => ({ group, unit: "sse", since: "pentium2" });
/** An instruction on MMX registers. */
export const mmxForm = (group: InstructionGroup): Shared => ({ group, unit: "mmx", since: "pentium2" });
/** An instruction on registers of both kinds. */
export const bothForm = (group: InstructionGroup): Shared => ({ group, unit: "mmx-sse", since: "pentium2" });
