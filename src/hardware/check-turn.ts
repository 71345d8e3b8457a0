/** Whether what a save says of several processors can be. */
import { VirtlabError } from "../state/error.js";
import { checkedModel } from "./cpu/model.js";
import { flatProtectedMode } from "./cpu/state.js";
import { firstMisfit } from "./machine-content.js";
import { type MachineState, TURN_STEPS } from "./state.js";

const isBetween = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

/** @throws VirtlabError for turns of other processors than the machine has. */
export function checkTurn({ turn, devices }: Pick<MachineState, "turn" | "devices">): void {
  const processors = devices.config.processors ?? 1;
  if (processors === 1 && turn === undefined) return;
  const misfit = firstMisfit(
    { processor: 0, left: 0, others: Array(processors - 1).fill(flatProtectedMode), steps: Array(processors).fill(0) },
    turn,
    "turn",
  );
  if (misfit !== undefined) throw new VirtlabError(`${misfit} is missing or of the wrong type`);
  const { processor, left, others, steps } = turn!;
  const fits = isBetween(processor, 0, processors - 1) && isBetween(left, 1, TURN_STEPS);
  const counted = steps.length === processors && steps.every((count) => isBetween(count, 0, Number.MAX_SAFE_INTEGER));
  if (processors === 1 || !fits || !counted || others.length !== processors - 1)
    throw new VirtlabError(
      `turn: processor ${processor} of ${others.length + 1} with ${left} steps left is none of this machine`,
    );
  for (const { system } of others) checkedModel(system.model);
}
