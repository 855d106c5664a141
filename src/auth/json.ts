import { InvalidRequestError } from './form.ts'

const deepest = 32
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads JSON that means one thing only (RFC 8259, sections 4 and 8.1): no name twice in an object, no bytes that are not UTF-8,
 * no byte order mark, nothing that would become a prototype.
 * @throws InvalidRequestError
 */
export function readJson(bytes: Uint8Array): unknown {
  let text: string
  let value: unknown
  try {
    text = decoder.decode(bytes)
    value = JSON.parse(text)
  } catch {
    throw new InvalidRequestError('The body is not JSON in UTF-8.')
  }
  expectClear(text)
  return value
}

/** @param text valid JSON */
function expectClear(text: string): void {
  /** The names so far of each object that is open; undefined for a list. */
  const open: (Set<string> | undefined)[] = []
  for (const { 0: token, 1: name } of text.matchAll(
    /"((?:[^"\\]|\\.)*)"(?=[\t\n\r ]*:)|"(?:[^"\\]|\\.)*"|[{}[\]]/g,
  )) {
    if (token === '}' || token === ']') open.pop()
    else if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined)
    else if (name !== undefined) addName(open.at(-1), JSON.parse(`"${name}"`) as string)
    if (open.length > deepest) throw new InvalidRequestError('The body is nested too deeply.')
  }
}

function addName(names: Set<string> | undefined, name: string): void {
  if (name === '__proto__') throw new InvalidRequestError('A name is reserved.')
  if (names?.has(name)) throw new InvalidRequestError('A name is there twice in an object.')
  names?.add(name)
}
