/** Colours that are really on the screen: a screenshot, decoded by the browser's own canvas. */
import type { Locator, Page } from "playwright-core";

/** Less than this share of the pixels is the edge of something and no colour of its own. */
const SHARE = 0.004;

/** The colours inside of an element, to 5 bits a channel, as texts. */
export async function colorsInside(page: Page, element: Locator): Promise<readonly string[]> {
  const picture = (await element.screenshot({ animations: "disabled" })).toString("base64");
  return page.evaluate(
    async ({ picture, share }) => {
      const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext("2d")!;
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      const counts = new Map<string, number>();
      for (let at = 0; at < data.length; at += 4) {
        const color = [data[at]!, data[at + 1]!, data[at + 2]!].map((channel) => channel >> 3).join();
        counts.set(color, (counts.get(color) ?? 0) + 1);
      }
      const least = (data.length / 4) * share;
      return [...counts].filter(([, count]) => count >= least).map(([color]) => color);
    },
    { picture, share: SHARE },
  );
}
