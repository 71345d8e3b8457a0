/** What each technique reveals of itself to its guest: lines of the guest `red-pill` that are others than on a bare machine. */
import { Machine } from "../../hardware/machine.js";
import { deepFreeze } from "../../hardware/machine-content.js";
import { VirtlabError } from "../../state/error.js";
import { Hypervisor } from "../hypervisor.js";
import { usualHosts } from "../techniques/hosts.js";
import { type TechniqueName, techniqueNames } from "../techniques/names.js";

/** A line of the guest that tells a virtual machine from a bare one. */
export interface RevealedPill {
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
  readonly revealed: readonly RevealedPill[];
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

function swallow(guest: Machine, technique: TechniqueName, maxInstructions: number): string {
  const { bits, model } = usualHosts[technique];
  const host = Hypervisor.create({ model, bits, memory: 4 * MEMORY }).addVm({ name: NAME, guest, technique });
  return host.run({ until: { vm: NAME }, maxInstructions }).vm(NAME).serial;
}

/** The lines of the guest that differ from a bare machine's, by technique. */
export function redPills(image: Uint8Array, options: RedPillOptions = {}): readonly RedPillReport[] {
  const { techniques = techniqueNames, maxInstructions = 20_000_000 } = options;
  const reports = techniques.map((technique): RedPillReport => {
    const { model } = usualHosts[technique];
    const guest = Machine.boot({ image, model, memory: MEMORY });
    const bare = pillsOf(guest.run({ maxInstructions }).serial);
    if (bare.size === 0) throw new VirtlabError("red pills: the image prints no line that begins with `pill`");
    const report = { technique, model, tried: bare.size };
    try {
      const virtual = pillsOf(swallow(guest, technique, maxInstructions));
      const names = [...bare.keys()].filter((name) => bare.get(name) !== virtual.get(name));
      const revealed = names.map((name) => ({ name, bare: bare.get(name)!, virtual: virtual.get(name) }));
      return { ...report, revealed, refused: undefined };
    } catch (error) {
      if (!(error instanceof VirtlabError)) throw error;
      return { ...report, revealed: [], refused: error.message };
    }
  });
  return deepFreeze(reports);
}
