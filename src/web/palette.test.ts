import { describe, expect, it } from 'vitest'
import { dark, edgeOn, light, type Palette, textOn } from './palette.ts'

describe.each([
  ['light', light],
  ['dark', dark],
])('the %s palette', (_name, palette) => {
  it.each(textOn)('shows %s on %s with a contrast of 4.5 or more', (text, ground) => {
    expect(contrast(palette, text, ground)).toBeGreaterThanOrEqual(4.5)
  })

  it.each(edgeOn)('tells the edge %s from %s with a contrast of 3 or more', (edge, ground) => {
    expect(contrast(palette, edge, ground)).toBeGreaterThanOrEqual(3)
  })
})

/** WCAG 2.2, "contrast ratio". */
function contrast(palette: Palette, one: keyof Palette, other: keyof Palette): number {
  const [darker = 0, lighter = 0] = [luminance(palette[one]), luminance(palette[other])].toSorted(
    (a, b) => a - b,
  )
  return (lighter + 0.05) / (darker + 0.05)
}

/** WCAG 2.2, "relative luminance". @param color `#rrggbb` */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
