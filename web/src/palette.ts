/** Colours of masks: neighbours in order lie far apart on the wheel. */

export type Rgb = readonly [number, number, number];

const GOLDEN_ANGLE_DEG = 137.508;
const [SATURATION, LIGHTNESS] = [0.85, 0.58];
const LIGHTNESS_STEP = 0.09;

/** Numbers of the two colours in which a difference is shown, that around a mask that is cut out, and that of proposals. */
export const [ADDED, REMOVED, OUTSIDE, PROPOSED] = [-1, -2, -3, -4] as const;
const ADDED_RGB: Rgb = [40, 190, 90];
const REMOVED_RGB: Rgb = [240, 60, 60];
const OUTSIDE_RGB: Rgb = [24, 24, 28];
const PROPOSED_RGB: Rgb = [255, 214, 10];

/** The colour of number `index`, 0 to 255 each. */
export function colourOf(index: number): Rgb {
  if (index === ADDED) return ADDED_RGB;
  if (index === REMOVED) return REMOVED_RGB;
  if (index === OUTSIDE) return OUTSIDE_RGB;
  if (index === PROPOSED) return PROPOSED_RGB;
  const hue = (200 + index * GOLDEN_ANGLE_DEG) % 360;
  return fromHsl(hue, SATURATION, LIGHTNESS + LIGHTNESS_STEP * ((index % 3) - 1));
}

function fromHsl(hue: number, saturation: number, lightness: number): Rgb {
  const spread = saturation * Math.min(lightness, 1 - lightness);
  const channel = (offset: number): number => {
    const k = (offset + hue / 30) % 12;
    return Math.round(255 * (lightness - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** As CSS writes it. */
export function cssOf(index: number): string {
  const [red, green, blue] = colourOf(index);
  return `#${[red, green, blue].map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
