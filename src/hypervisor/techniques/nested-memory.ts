/** A VM's memory behind nested tables: EPT, or those of AMD-V. */
import { mapNested, type NestedTables } from "../../hardware/cpu/nested-tables.js";
import { type Host, PAGE } from "../host.js";
import { lacks } from "../isolation/protections.js";
import type { VmState } from "../state.js";

const LARGE_PAGE = 0x20_0000;

/** Fills a page of the host's memory. */
export function fillPage(host: Host, at: number, word: number): void {
  for (let offset = 0; offset < PAGE; offset += 4) host.port.writePhysical(at + offset, word);
}

/** Maps all of a VM's memory, and nothing else. */
export function nestedMemory(host: Host, vm: VmState, kind: NestedTables["kind"]): NestedTables {
  const { name, extents } = vm;
  const { port } = host;
  const memory = {
    read32: (at: number) => port.readPhysical(at),
    write32: (at: number, value: number) => port.writePhysical(at, value >>> 0),
  };
  const allocate = (): number => host.allocate(1, `${name}: its nested tables`);
  const tables: NestedTables = { kind, memory, root: allocate(), allocate };
  if (lacks(vm, "EPT permission"))
    mapNested(tables, {
      ...{ guestPhysical: 0, hostPhysical: 0, bytes: host.state.frames.end, rights: "rwx", pageBytes: LARGE_PAGE },
    });
  for (const { guest, host: at, bytes, readOnly } of extents)
    mapNested(tables, {
      guestPhysical: guest,
      hostPhysical: at,
      bytes,
      rights: readOnly ? "rx" : "rwx",
      pageBytes: LARGE_PAGE,
    });
  return tables;
}
