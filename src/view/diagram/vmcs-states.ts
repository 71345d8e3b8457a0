/** `vmcsStatesDiagram`: the states of a VMCS, and the instructions that lead from one to another. */
import type { Vmcs, VmcsState } from "../../hardware/inspect/vmcs.js";
import { stateText } from "../displays/virtualization-display.js";
import { colours } from "../palette.js";
import { address } from "../text.js";
import { Diagram, type DiagramOptions } from "./diagram.js";
import { arrow, box, group, label, type Markup, type Point } from "./svg.js";

const BOX = { width: 168, height: 62 } as const;

/** Room for what leads to and fro between the boxes at the edges. */
const ASIDE = 126;

type StateName = "inactive" | "clear" | "clear, another" | "launched" | "launched, another";

interface Place {
  readonly x: number;
  readonly y: number;
  readonly lines: readonly [string, string, string];
}

const places: Readonly<Record<StateName, Place>> = {
  "clear, another": { x: 0, y: 30, lines: ["active", "not current", "clear"] },
  clear: { x: 0, y: 230, lines: ["active", "current", "clear"] },
  launched: { x: 480, y: 230, lines: ["active", "current", "launched"] },
  "launched, another": { x: 480, y: 30, lines: ["active", "not current", "launched"] },
  inactive: { x: 240, y: 130, lines: ["inactive", "not current", "clear"] },
};

interface Way {
  readonly from: StateName;
  readonly to: StateName;
  readonly by: string;
  readonly points: readonly Point[];
  /** Where its name stands. */
  readonly at: Point;
  readonly anchor?: "start" | "middle" | "end";
}

const { width, height } = BOX;
const ways: readonly Way[] = [
  {
    from: "clear",
    to: "clear, another",
    by: "VMPTRLD of another",
    points: [
      [50, 230],
      [50, 30 + height],
    ],
    at: [44, 150],
    anchor: "end",
  },
  {
    from: "clear, another",
    to: "clear",
    by: "VMPTRLD",
    points: [
      [110, 30 + height],
      [110, 230],
    ],
    at: [116, 126],
    anchor: "start",
  },
  {
    from: "launched",
    to: "launched, another",
    by: "VMPTRLD of another",
    points: [
      [480 + 118, 230],
      [480 + 118, 30 + height],
    ],
    at: [480 + 124, 150],
    anchor: "start",
  },
  {
    from: "launched, another",
    to: "launched",
    by: "VMPTRLD",
    points: [
      [480 + 58, 30 + height],
      [480 + 58, 230],
    ],
    at: [480 + 52, 126],
    anchor: "end",
  },
  {
    from: "clear",
    to: "launched",
    by: "VMLAUNCH",
    points: [
      [width, 270],
      [480, 270],
    ],
    at: [324, 264],
    anchor: "middle",
  },
  {
    from: "inactive",
    to: "clear",
    by: "VMPTRLD",
    points: [
      [262, 130 + height],
      [262, 248],
      [width, 248],
    ],
    at: [268, 232],
    anchor: "start",
  },
  {
    from: "clear",
    to: "inactive",
    by: "VMCLEAR",
    points: [
      [130, 230],
      [130, 174],
      [240, 174],
    ],
    at: [182, 190],
    anchor: "middle",
  },
  {
    from: "launched",
    to: "inactive",
    by: "VMCLEAR",
    points: [
      [504, 230],
      [504, 174],
      [240 + width, 174],
    ],
    at: [456, 190],
    anchor: "middle",
  },
  {
    from: "clear, another",
    to: "inactive",
    by: "VMCLEAR",
    points: [
      [width, 60],
      [300, 60],
      [300, 130],
    ],
    at: [234, 54],
    anchor: "middle",
  },
  {
    from: "launched, another",
    to: "inactive",
    by: "VMCLEAR",
    points: [
      [480, 60],
      [348, 60],
      [348, 130],
    ],
    at: [414, 54],
    anchor: "middle",
  },
  {
    from: "launched",
    to: "launched",
    by: "VMRESUME",
    points: [
      [480 + width, 282],
      [480 + width + 36, 282],
      [480 + width + 36, 250],
      [480 + width, 250],
    ],
    at: [480 + width + 42, 270],
    anchor: "start",
  },
];

/** Which of the five a VMCS is in; undefined where memory does not tell. */
function placeOf({ current, launch, active }: VmcsState): StateName | undefined {
  if (current) return launch;
  if (launch === "launched") return "launched, another";
  return active === false ? "inactive" : undefined;
}

function boxParts(name: StateName, here: StateName | undefined): readonly Markup[] {
  const { x, y, lines } = places[name];
  const isHere = name === here;
  return [
    box(x, y, width, height, isHere ? { stroke: colours.blue, width: 3 } : {}),
    ...lines.map((text, index) =>
      label(x + width / 2, y + 19 + 16 * index, text, { anchor: "middle", size: 12.5, bold: isHere }),
    ),
  ];
}

/**
 * The states of a VMCS and what leads from one to another, as the manual draws them, with the state that a VMCS is in marked.
 * Spec: SDM Vol. 3C, "Overview" of the virtual-machine control structures.
 *
 * @example
 * vmcsStatesDiagram().text.split("\n")[1] // => '  active, current, clear: VMPTRLD of another → active, not current, clear'
 */
export function vmcsStatesDiagram(vmcs?: Pick<Vmcs, "address" | "state">, options: DiagramOptions = {}): Diagram {
  const here = vmcs === undefined ? undefined : placeOf(vmcs.state);
  const textOf = (name: StateName): string => places[name].lines.join(", ");
  const stands = vmcs === undefined ? [] : [`the VMCS at ${address(vmcs.address)} is ${stateText(vmcs.state)}`];
  return new Diagram(
    {
      kind: "states of a VMCS",
      width: ASIDE + 480 + width + ASIDE,
      height: vmcs === undefined ? 276 : 304,
      parts: [
        group({ transform: `translate(${ASIDE},-24)` }, [
          ...ways.map(({ points }) => arrow(points, { stroke: colours.grey, width: 1.4 })),
          ...ways.map(({ by, at: [x, y], anchor }) =>
            label(x, y, by, { size: 11.5, ...(anchor === undefined ? {} : { anchor }) }),
          ),
          ...(Object.keys(places) as StateName[]).flatMap((name) => boxParts(name, here)),
        ]),
        ...stands.map((text) => label(0, 298, text, { size: 12.5, bold: true })),
      ],
      words: [...ways.map(({ from, to, by }) => `${textOf(from)}: ${by} → ${textOf(to)}`), ...stands],
      data: [{ vmcs: vmcs === undefined ? null : { address: vmcs.address, ...vmcs.state } }],
    },
    options,
  );
}
