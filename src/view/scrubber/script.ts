/**
 * What makes a scrubber move: one constant text, so that a page can allow exactly it by its hash. It knows nothing of
 * machines: elements with `data-s` say by a letter and a number how which column of the data is shown in them.
 *
 * It uses no markup of the data's (only text and class names), sets no style, and asks for nothing from elsewhere. Front
 * ends run it in places of their own (JupyterLab in a copy of its element, VS Code at the end of the output, a page once
 * at its end for all), so it looks for every scrubber that has not been started, also in shadow trees.
 * Guide: ARIA Authoring Practices, "Slider Pattern".
 */

const SOURCE = String.raw`
(() => {
  "use strict";
  const grouped = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");
  const signed = (value) => (value < 0 ? "−" : "+") + grouped(Math.abs(value));

  const element = (name, className, text) => {
    const node = document.createElement(name);
    node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  const icon = (path) => {
    const create = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
    const svg = create("svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    svg.append(create("path"));
    svg.firstChild.setAttribute("d", path);
    return svg;
  };
  const ICONS = {
    first: "M3 3h2v10H3zM13 3v10L6 8z",
    back: "M11 3v10L4 8z",
    play: "M4 2.5v11L13.5 8z",
    pause: "M4 3h3v10H4zM9 3h3v10H9z",
    forward: "M5 3v10l7-5z",
    last: "M11 3h2v10h-2zM3 3v10l7-5z",
    undo: "M6.5 2v3H10a4 4 0 0 1 0 8H5v-2h5a2 2 0 0 0 0-4H6.5v3L2 6z",
  };

  /** The column: a value for each place. */
  const expand = (pairs, places) => {
    const values = [];
    for (let index = 0, value = 0; index < pairs.length; index += 2)
      for (let count = pairs[index + 1]; count > 0 && values.length < places; count--) values.push((value += pairs[index]));
    return values;
  };

  /** More than any scrubber has. */
  const MOST = 10000;

  const start = (box) => {
    const { places, start: first, texts, lists, output, columns } = JSON.parse(
      box.querySelector('script[type="application/json"]').textContent,
    );
    if (!(places > 0 && places < MOST)) throw new RangeError("places: " + places);
    const values = columns.map((pairs) => expand(pairs, places));
    const changed = (column, place) => place > 0 && column[place] !== column[place - 1];

    /** How a column is shown in an element, by the letter before its number. */
    const kinds = new Map(Object.entries({
      // A text.
      t: (node, column, place) => {
        node.textContent = texts[column[place]];
      },
      // A text that is marked when it is new; in a table, what it was stands in the next cell.
      v: (node, column, place) => {
        const isNew = changed(column, place);
        node.textContent = texts[column[place]];
        node.classList.toggle("new", isNew);
        const was = node.closest("td")?.nextElementSibling;
        if (was) was.textContent = isNew ? "was " + texts[column[place - 1]] : "";
      },
      // A number, with its growth in the next element.
      n: (node, column, place) => {
        node.textContent = grouped(column[place]);
        node.nextElementSibling.textContent = changed(column, place) ? signed(column[place] - column[place - 1]) : "";
      },
      // A bit: its name, in capitals when it is set.
      b: (node, column, place) => {
        const name = node.textContent;
        node.textContent = column[place] ? name.toUpperCase() : name.toLowerCase();
        node.className = (column[place] ? "on" : "off") + (changed(column, place) ? " new" : "");
      },
      // Lines of a table; each is a class and cells.
      r: (node, column, place) => {
        if (node.shown === column[place]) return;
        node.shown = column[place];
        const classes = node.dataset.cells.split(",");
        node.replaceChildren(...lists[column[place]].map((number) => {
          const [className, ...cells] = texts[number].split("\t");
          const line = element("tr", className);
          line.append(...cells.map((cell, index) => element("td", classes[index] || "", cell)));
          return line;
        }));
      },
      // The line of a table that is marked.
      h: (node, column, place) => {
        [...node.querySelectorAll("tr")].forEach((line, index) => {
          line.classList.toggle("here", index === column[place]);
          line.firstChild.textContent = index === column[place] ? "▶" : "";
        });
      },
      // The end of the output: its start, where it is new, and its end are three columns in a row.
      o: (node, column, place, number) => {
        const [from, fresh, to] = [0, 1, 2].map((offset) => values[number + offset][place]);
        node.replaceChildren(output.slice(from, fresh), ...(fresh < to ? [element("mark", "", output.slice(fresh, to))] : []));
        node.scrollTop = node.scrollHeight;
      },
    }));
    const parts = [...box.querySelectorAll("[data-s]")].flatMap((node) =>
      node.dataset.s.split(" ").map((name) => [kinds.get(name[0]), node, Number(name.slice(1))]),
    );

    const slider = element("input", "slider");
    slider.type = "range";
    slider.min = 0;
    slider.max = places - 1;
    slider.setAttribute("role", "slider");
    slider.setAttribute("aria-label", box.dataset.label);
    const button = (name, title, action) => {
      const node = element("button", name);
      node.type = "button";
      node.title = title;
      node.setAttribute("aria-label", title);
      node.append(icon(ICONS[name]));
      node.addEventListener("click", action);
      return node;
    };

    let at = first;
    let settled = first;
    let timer;
    const visited = [];
    const textOf = (name) => box.querySelector('[data-is="' + name + '"]').textContent;
    const show = (place) => {
      at = Math.max(0, Math.min(places - 1, place));
      for (const [kind, node, number] of parts) kind(node, values[number], at, number);
      slider.value = at;
      slider.setAttribute("aria-valuetext", "step " + textOf("step") + ", " + textOf("label"));
      where.textContent = "place " + grouped(at + 1) + " of " + grouped(places);
      buttons.first.disabled = buttons.back.disabled = at === 0;
      buttons.last.disabled = buttons.forward.disabled = at === places - 1;
      buttons.undo.disabled = visited.length === 0;
    };
    /** A move is over: undo leads back to where it began. */
    const settle = () => {
      if (settled !== at) visited.push(settled);
      settled = at;
      show(at);
    };
    const move = (place) => {
      stop();
      show(place);
      settle();
    };
    const undo = () => {
      stop();
      if (visited.length === 0) return;
      settled = visited.pop();
      show(settled);
    };
    const setPlay = (isPlaying) => {
      const title = isPlaying ? "Pause (space)" : "Play (space)";
      buttons.play.replaceChildren(icon(isPlaying ? ICONS.pause : ICONS.play));
      buttons.play.title = title;
      buttons.play.setAttribute("aria-label", title);
    };
    const stop = () => {
      if (timer === undefined) return;
      clearInterval(timer);
      timer = undefined;
      setPlay(false);
      settle();
    };
    const play = () => {
      if (timer !== undefined) return stop();
      if (at === places - 1) show(0);
      setPlay(true);
      timer = setInterval(() => {
        if (!box.isConnected || at >= places - 1) stop();
        else show(at + 1);
      }, Math.max(60, Math.min(400, 15000 / places)));
    };
    const buttons = {
      first: button("first", "First place (Home)", () => move(0)),
      back: button("back", "One place back (←)", () => move(at - 1)),
      play: button("play", "Play (space)", play),
      forward: button("forward", "One place forward (→)", () => move(at + 1)),
      last: button("last", "Last place (End)", () => move(places - 1)),
      undo: button("undo", "Back to the place before the last move (Ctrl+Z)", undo),
    };
    const where = element("span", "where dim");

    slider.addEventListener("input", () => {
      const place = Number(slider.value);
      stop();
      show(place);
    });
    slider.addEventListener("change", settle);
    const page = Math.max(1, Math.round(places / 10));
    const KEYS = new Map([
      ["ArrowRight", () => move(at + 1)],
      ["ArrowUp", () => move(at + 1)],
      ["ArrowLeft", () => move(at - 1)],
      ["ArrowDown", () => move(at - 1)],
      ["PageUp", () => move(at + page)],
      ["PageDown", () => move(at - page)],
      ["Home", () => move(0)],
      ["End", () => move(places - 1)],
      [" ", play],
    ]);
    box.addEventListener("keydown", (event) => {
      const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
      const isButton = event.target !== slider;
      if (!isUndo && (event.ctrlKey || event.metaKey || event.altKey || (isButton && event.key === " "))) return;
      const action = isUndo ? undo : KEYS.get(event.key);
      if (action === undefined) return;
      // The notebook around it has other uses for these keys.
      event.preventDefault();
      event.stopPropagation();
      action();
    });

    const track = box.querySelector(".track");
    track.append(slider);
    const controls = box.querySelector(".controls");
    // JupyterLab's shortcuts keep away from these; those that match the focused element itself look no further up.
    for (const node of [slider, ...Object.values(buttons)]) node.dataset.lmSuppressShortcuts = "true";
    controls.replaceChildren(...Object.values(buttons), where);
    show(first);
  };

  const roots = [document, ...[...document.querySelectorAll("*")].flatMap(({ shadowRoot }) => shadowRoot || [])];
  for (const root of roots)
    for (const box of root.querySelectorAll(".vl-scrubber:not([data-ready])")) {
      box.dataset.ready = "";
      try {
        start(box);
      } catch (error) {
        console.warn("virtlab: this scrubber cannot be moved: " + error);
      }
    }
})();
`;

/** The text of the script element: the source without its comments and indentation, since every scrubber carries it. */
export const SCRUBBER_SCRIPT = SOURCE.replace(/^\s*\/(?:\/|\*\*).*\n/gm, "").replace(/^ +/gm, "");
