/** Runs every instruction form in every world with every content of its operands. */
import type { Machine } from "../../hardware/machine.js";
import type { Trial } from "./classify.js";
import { contentBytes, contentsOf } from "./contents.js";
import { type InstructionForm, instructionForms } from "./forms.js";
import { type Outcome, outcomeOf } from "./outcome.js";
import { addressOfSlot, inFrontOf, makeWorlds, tryOnce, type World, type WorldOptions } from "./worlds.js";

/** A trial that can be looked at. */
export interface MachineTrial extends Trial {
  /** The machine in front of the instruction. Its next step is the instruction, or the delivery of what it raised. */
  readonly machine: Machine;
}

export interface TriedForm {
  readonly form: InstructionForm;
  /** A list for each content of the operands, with a trial in each world. */
  readonly trials: readonly (readonly MachineTrial[])[];
}

export interface Tried {
  readonly worlds: readonly World[];
  readonly forms: readonly TriedForm[];
}

/** The machine is made anew when it is asked for: nobody looks at one in a thousand. */
class WorldTrial implements MachineTrial {
  readonly #world: World;
  readonly #content: Uint8Array;
  readonly outcome: Outcome;

  constructor(world: World, content: Uint8Array) {
    this.#world = world;
    this.#content = content;
    const [before, after] = tryOnce(world, content);
    this.outcome = outcomeOf(before, after, world.location);
  }

  get mode() {
    return this.#world.mode;
  }

  get location() {
    return this.#world.location;
  }

  get machine(): Machine {
    return inFrontOf(this.#world, this.#content);
  }
}

/** World by world: the engine need not change tables between trials. */
export function tryAll(options: WorldOptions): Tried {
  const { bits } = options;
  const forms = instructionForms(options.model, bits);
  const worlds = makeWorlds(
    options,
    forms.flatMap(({ encodings }) => encodings),
  );
  let slot = 0;
  const contents = forms.map(({ group, encodings }) =>
    encodings.flatMap(() => {
      const target = addressOfSlot(slot++);
      return contentsOf(options, group).map((content) => contentBytes(content, target, bits));
    }),
  );
  const trials: MachineTrial[][][] = contents.map((list) => list.map(() => []));
  for (const world of worlds)
    for (const [index, list] of contents.entries())
      for (const [at, content] of list.entries()) trials[index]![at]!.push(new WorldTrial(world, content));
  return { worlds, forms: forms.map((form, index) => ({ form, trials: trials[index]! })) };
}
