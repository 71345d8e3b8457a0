/** What each technique reveals of itself to its guest: lines of the guest `red-pill` that are others than on a bare machine. */
import { Machine } from "../../hardware/machine.js";
import { deepFreeze } from "../../hardware/machine-content.js";
import { VirtlabError } from "../../state/error.js";
import { Hypervisor } from "../hypervisor.js";
import { usualHosts } from "../techniques/hosts.js";
import { type TechniqueName, techniqueNames } from "../techniques/names.js";
import { paravirtualPills } from "./pv-pills.js";

/** A line of the guest on a bare machine, and in a VM. */
export interface PillValue {
  /** What was tried; it ends in the ring. */
  readonly name: string;
  readonly bare: string;
  /** In the VM; undefined where the guest did not come so far. */
  readonly virtual: string | undefined;
}

export interface RedPillReport {
  readonly technique: TechniqueName;
  /** Of guest and host. */
  readonly model: string;
  /** Pills that were tried. */
  readonly tried: number;
  /** All of them. */
  readonly pills: readonly PillValue[];
  /** Those that tell a virtual machine from a bare one. */
  readonly revealed: readonly PillValue[];
  /** Why the guest cannot be run by the technique; undefined where it ran. */
  readonly refused: string | undefined;
}

export interface RedPillOptions {
  /** Default: all. */
  readonly techniques?: readonly TechniqueName[];
  /** Steps of the host at the most. Default: 20 million. */
  readonly maxInstructions?: number;
}

const MEMORY = 2 ** 24;
const NAME = "red pill";

/** Values by name. */
const pillsOf = (text: string): ReadonlyMap<string, string> =>
  new Map([...text.matchAll(/^pill (\S+) ?(.*)$/gm)].map(([, name, value]) => [name!, value!]));

function swallow(guest: Machine, technique: TechniqueName, maxInstructions: number): ReadonlyMap<string, string> {
  if (technique === "pv") return paravirtualPills();
  const { bits, model } = usualHosts[technique];
  const host = Hypervisor.create({ model, bits, memory: 4 * MEMORY }).addVm({ name: NAME, guest, technique });
  return pillsOf(host.run({ until: { vm: NAME }, maxInstructions }).vm(NAME).serial);
}

/** The values of a bare machine and of a VM, for pills that both have; under paravirtualization the kernel is another one. */
function compared(
  technique: TechniqueName,
  bare: ReadonlyMap<string, string>,
  virtual: ReadonlyMap<string, string>,
): readonly PillValue[] {
  const names = [...bare.keys()].filter((name) => technique !== "pv" || virtual.has(name));
  return names.map((name) => ({ name, bare: bare.get(name)!, virtual: virtual.get(name) }));
}

/** The lines of the guest that differ from a bare machine's, by technique. */
export function redPills(image: Uint8Array, options: RedPillOptions = {}): readonly RedPillReport[] {
  const { techniques = techniqueNames, maxInstructions = 20_000_000 } = options;
  for (const technique of techniques)
    if (!techniqueNames.includes(technique))
      throw new VirtlabError(
        `red pills: technique "${String(technique)}" is unknown (known: ${techniqueNames.join(", ")})`,
      );
  const reports = techniques.map((technique): RedPillReport => {
    const { model } = usualHosts[technique];
    const guest = Machine.boot({ image, model, memory: MEMORY });
    const bare = pillsOf(guest.run({ maxInstructions }).serial);
    if (bare.size === 0) throw new VirtlabError("red pills: the image prints no line that begins with `pill`");
    const report = { technique, model };
    try {
      const pills = compared(technique, bare, swallow(guest, technique, maxInstructions));
      const revealed = pills.filter((pill) => pill.bare !== pill.virtual);
      return { ...report, tried: pills.length, pills, revealed, refused: undefined };
    } catch (error) {
      if (!(error instanceof VirtlabError)) throw error;
      return { ...report, tried: 0, pills: [], revealed: [], refused: error.message };
    }
  });
  return deepFreeze(reports);
}
