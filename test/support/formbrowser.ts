import type { FastifyInstance, LightMyRequestResponse } from 'fastify'

export type Form = Readonly<Record<string, string>>

/** Keeps cookies and follows nothing, so that each answer is seen. */
export class FormBrowser {
  readonly #app: FastifyInstance
  readonly cookies = new Map<string, string>()

  constructor(app: FastifyInstance) {
    this.#app = app
  }

  get(url: string, headers: Form = {}): Promise<LightMyRequestResponse> {
    return this.#send('GET', url, undefined, headers)
  }

  post(url: string, form: Form | string, headers: Form = {}): Promise<LightMyRequestResponse> {
    const body = typeof form === 'string' ? form : String(new URLSearchParams(form))
    const type = 'application/x-www-form-urlencoded'
    return this.#send('POST', url, body, { 'content-type': type, ...headers })
  }

  async #send(method: 'GET' | 'POST', url: string, payload: string | undefined, headers: Form) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await this.#app.inject({
      method,
      url,
      headers: { accept: 'text/html', host: 'id.example.com', cookie, ...headers },
      ...(payload !== undefined && { payload }),
    })
    for (const { name, value, maxAge, expires } of answer.cookies) {
      const over = maxAge === 0 || (expires !== undefined && expires.getTime() === 0)
      if (over) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }
}

/** An answer that sends the browser on. */
export const leadsTo = (path: string) => ({ statusCode: 303, headers: { location: path } })
