/**
 * RDRAND and RDSEED. Their numbers follow from a seed in the machine's state, so a machine draws the same ones again.
 * Spec: SDM Vol. 1, "Random Number Generator Instructions".
 */
import { writeRegister } from "../../cpu/operands.js";
import { drawRandom } from "../../cpu/random.js";
import { FLAG } from "../../cpu/state.js";
import { type Definition, define } from "../instruction.js";
import { intercepted } from "./common.js";

const STATUS = FLAG.CF | FLAG.OF | FLAG.SF | FLAG.ZF | FLAG.AF | FLAG.PF;

/** There is always a number: CF is set. */
const draw = intercepted((port, { operands: [operand], size }) => {
  if (operand?.kind !== "register") return;
  const value = drawRandom(port);
  const low = Number(value & 0xffff_ffffn);
  if (size === 64) port.setRegister(operand.number, low, Number(value >> 32n));
  else if (size === 32) port.setRegister(operand.number, low);
  else writeRegister(port, operand.number, 16, low & 0xffff);
  port.setEflags((port.getEflags() & ~STATUS) | FLAG.CF);
});

const definitions: readonly Definition[] = [
  {
    mnemonic: "RDRAND",
    group: "miscellaneous",
    summary: "Draws a random number.",
    spec: "SDM Vol. 2B, RDRAND—Read Random Number",
    forms: [["NFx 0F C7 F0+i", "Rv"]],
    needs: "RDRAND",
    flags: { written: "OSZAPC" },
    system: draw,
  },
  {
    mnemonic: "RDSEED",
    group: "miscellaneous",
    summary: "Draws a random number that is fit for a seed: here the same.",
    spec: "SDM Vol. 2B, RDSEED—Read Random SEED",
    forms: [["NFx 0F C7 F8+i", "Rv"]],
    needs: "RDSEED",
    flags: { written: "OSZAPC" },
    system: draw,
  },
];

export const randomRows = definitions.flatMap(define);
