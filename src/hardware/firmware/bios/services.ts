/** The services of the BIOS by the names of their handlers. */
import { Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import { read, refuse, type Service, setWord } from "./access.js";
import { clock } from "./clock.js";
import { BDA } from "./data-area.js";
import { disk, diskGoesOn } from "./disk-service.js";
import { key, keyboard } from "./keyboard.js";
import { noBoot, unexpected } from "./messages.js";
import { system } from "./system.js";
import { video } from "./video.js";

const services: Readonly<Record<string, Service>> = {
  video,
  disk,
  diskGoesOn,
  key,
  keyboard,
  system,
  clock,
  noBoot,
  unexpected,
  /** INT 11h. Spec: Ralf Brown's Interrupt List, INT 11. */
  equipment: (port) => setWord(port, "ax", read(port, BDA.equipment, 2)),
  /** INT 12h: KiB of memory from address 0 on. */
  memory: (port) => setWord(port, "ax", read(port, BDA.memoryKib, 2)),
  /** INT 14h and 17h: there is nobody behind the serial ports and no printer. */
  refused: refuse,
};

/** Services are for software of real mode: to the rest their entries are no instruction. */
export const biosHandlers: Readonly<Record<string, Service>> = Object.fromEntries(
  Object.entries(services).map(([name, service]) => [
    name,
    (port: ProcessorPort) => {
      if (port.mode === "protected") throw new Fault(VECTOR.UD);
      service(port);
    },
  ]),
);
