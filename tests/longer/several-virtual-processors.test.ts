/** Two VMs of each guest with several virtual processors are at any step what the bare machine is. */
import { describe, it } from "vitest";
import { cases, guests, sideBySide } from "../support/several-virtual-processors.js";

describe.each(cases)("under %s on a %s, on a host with", (technique, model) => {
  it.each([1, 2])("%i processors", (processors) => sideBySide(technique, model, processors, guests));
});
