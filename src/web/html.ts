/** Markup that may go out as it is: only `html` makes it, and what it was given as text it has escaped. */
export class Html {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** Nothing is written for what is not there, so that a part can be left out by `condition && html…`. */
export type HtmlValue = Html | string | number | false | null | undefined | readonly HtmlValue[]

/** A value between quotes and a text between tags need the same characters escaped. */
const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const known = new WeakMap<TemplateStringsArray, readonly Place[]>()

/**
 * Writes markup: each value that is not markup itself is escaped.
 * @throws TypeError when a value stands where escaping cannot make it safe: in an attribute without quotes, or within a tag
 */
export function html(template: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  const places = known.get(template) ?? placesOf(template)
  known.set(template, places)
  let text = template[0] ?? ''
  for (const [index, value] of values.entries()) {
    const place = places[index]
    if (place === 'unquoted' || (place === 'tag' && !(value instanceof Html))) {
      throw new TypeError(`a value stands in a tag, outside of quotes: ${text.slice(-40)}`)
    }
    text += write(value) + (template[index + 1] ?? '')
  }
  return new Html(text)
}

/** Attributes of a tag, from their names: true is a name alone, false and undefined are left out. */
export function attributes(
  values: Readonly<Record<string, string | number | boolean | undefined>>,
): Html {
  const written = Object.entries(values).map(([name, value]) => {
    if (value === undefined || value === false) return ''
    return value === true ? ` ${name}` : ` ${name}="${write(String(value))}"`
  })
  return new Html(written.join(''))
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => escapes[character] ?? '')
}

function write(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'object') return value.map(write).join('')
  return escapeHtml(String(value))
}

/** Where a value stands: between tags, in a tag, behind an equals sign without a quote, or between quotes. */
type Place = 'text' | 'tag' | 'unquoted' | '"' | "'"

function placesOf(template: TemplateStringsArray): readonly Place[] {
  const places: Place[] = []
  let place: Place = 'text'
  for (const before of template.slice(0, -1)) {
    place = placeAfter(place, before)
    places.push(place === 'tag' && before.trimEnd().endsWith('=') ? 'unquoted' : place)
  }
  return places
}

function placeAfter(start: Place, text: string): Place {
  let place = start
  for (const character of text) {
    if (place === 'text') place = character === '<' ? 'tag' : 'text'
    else if (place !== 'tag') place = character === place ? 'tag' : place
    else if (character === '>') place = 'text'
    else if (character === '"' || character === "'") place = character
  }
  return place
}
