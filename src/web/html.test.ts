import { describe, expect, it } from 'vitest'
import { attributes, type HtmlValue, html } from './html.ts'

const hostile = `"><script>alert('1')</script>&`
const escaped = '&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;'

describe('html', () => {
  it('escapes a value between tags and between quotes', () => {
    expect(String(html`<a href="${hostile}">${hostile}</a>`)).toBe(
      `<a href="${escaped}">${escaped}</a>`,
    )
  })

  it('takes markup of its own as it is, in lists too', () => {
    const items = ['a', '<b>'].map((text) => html`<li>${text}</li>`)
    expect(String(html`<ul>${items}</ul>`)).toBe('<ul><li>a</li><li>&lt;b&gt;</li></ul>')
  })

  it('does not take for markup what only looks like it', () => {
    const forged = { toString: () => '<b>' } as unknown as HtmlValue
    expect(() => String(html`${forged}`)).toThrow(TypeError)
  })

  it.each<HtmlValue>([false, null, undefined, ''])('writes nothing for %s', (nothing) => {
    expect(String(html`<p>${nothing}</p>`)).toBe('<p></p>')
  })

  it('writes a zero', () => {
    expect(String(html`${0}`)).toBe('0')
  })

  it.each([
    ['an attribute without quotes', () => html`<a href=${'x'}>`],
    ['the name of an attribute', () => html`<a ${'onclick'}="x">`],
    ['a tag, also behind a quoted attribute', () => html`<a title="<b>" ${'x'}>`],
    ['markup as an attribute without quotes', () => html`<a href=${html`x`}>`],
  ])('refuses a value in %s', (_place, write) => {
    expect(write).toThrow('outside of quotes')
  })

  it('knows text behind a tag whose attribute has a sign of its own', () => {
    expect(String(html`<a title="a > b">${'<'}</a>`)).toBe('<a title="a > b">&lt;</a>')
  })
})

describe('attributes', () => {
  it('writes values escaped, true as a name, and leaves out what is not there', () => {
    const some = attributes({
      id: hostile,
      required: true,
      hidden: false,
      lang: undefined,
      maxlength: 3,
    })
    expect(String(html`<input${some}>`)).toBe(`<input id="${escaped}" required maxlength="3">`)
  })
})
