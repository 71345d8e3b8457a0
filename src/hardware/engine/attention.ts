/** Why execution came back before its budget was used up. */
import type { Stop } from "../state.js";

export interface Attention {
  readonly stop?: Stop;
}
/** Something may have changed that is looked at between instructions. */
export const LOOK_AROUND: Attention = {};
