import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'

/** Something with a name in which a secret may be looked for. */
export interface Haystack {
  readonly name: string
  readonly content: Buffer
}

/** The parts of a secret that are looked for: any of them would be most of it. What people are shown is not among them. */
export function traces(secret: string): readonly string[] {
  const body = secret.slice(secret.indexOf('_') + 1, -4)
  const plain = [body.slice(0, 16), body.slice(16, 32), body.slice(-12)]
  // A Secret holds base64, in which a text has three spellings, by where it begins.
  const encoded = [0, 1, 2].map((shift) => {
    const bytes = Buffer.from(`${' '.repeat(shift)}${body.slice(0, 24)}`)
    return bytes.toString('base64').replace(/=+$/, '').slice(4, -4)
  })
  return [...plain, ...encoded, Buffer.from(body.slice(0, 16)).toString('hex')]
}

/** Every file under a folder. */
export function filesUnder(folder: string): readonly Haystack[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((name) => statSync(name, { throwIfNoEntry: false })?.isFile())
    .map((name) => ({ name, content: readFileSync(name) }))
}

/** Where a text is found. */
export function whereIs(text: string, haystacks: readonly Haystack[]): readonly string[] {
  return haystacks.filter(({ content }) => content.includes(text)).map(({ name }) => name)
}
