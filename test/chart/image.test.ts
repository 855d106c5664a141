import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** What the image has under /app, made as the Dockerfile makes it, but with links to the dependencies. */
let app: string

beforeAll(async () => {
  app = await mkdtemp(path.join(tmpdir(), 'cardea-image-'))
  const built = await run('node_modules/.bin/tsc', [
    '-p',
    'tsconfig.build.json',
    '--outDir',
    `${app}/dist`,
  ])
  expect(built).toMatchObject({ code: 0 })
  await cp('src/db/migrations', `${app}/dist/db/migrations`, { recursive: true })
  await cp('package.json', `${app}/package.json`)
  for (const name of await productionPackages()) {
    await mkdir(path.dirname(`${app}/${name}`), { recursive: true })
    await symlink(path.resolve(name), `${app}/${name}`)
  }
})

afterAll(async () => {
  await rm(app, { recursive: true, force: true })
})

/** What `npm install --omit=dev --omit=optional` leaves, as paths. */
async function productionPackages(): Promise<readonly string[]> {
  const lock = JSON.parse(await readFile('package-lock.json', 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>
  }
  return Object.entries(lock.packages)
    .filter(([, { dev, optional, devOptional }]) => !dev && !optional && !devOptional)
    .map(([name]) => name)
    .filter((name) => name.lastIndexOf('node_modules/') === 0)
}

interface Ended {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

function run(program: string, args: readonly string[], env: object = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { env: { PATH: process.env['PATH'], ...env } },
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }),
    )
  })
}

/** Runs a program of the image where nothing can be written, with the production dependencies only. */
function runInImage(args: readonly string[]): Promise<Ended> {
  const links = ['--preserve-symlinks', '--preserve-symlinks-main']
  const readOnly = ['--permission', '--allow-fs-read=*', '--no-warnings']
  const [program = '', ...rest] = args
  return run(process.execPath, [...links, ...readOnly, `${app}/${program}`, ...rest])
}

test('the command line runs', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string }
  expect(await runInImage(['dist/main/cli.js', 'version'])).toEqual({
    code: 0,
    stdout: `cardea ${version}\n`,
    stderr: '',
  })
})

test.each(['operator', 'auth', 'migrate'])(
  '%s starts, as the chart starts it, and says what it lacks',
  async (program) => {
    const ended = await runInImage([`dist/main/${program}.js`])
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(/CARDEA_DATABASE_URL is not set/)
  },
)

test('the chart, the image and the package are of one version', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string }
  for (const chart of ['cardea', 'cardea-crds']) {
    const text = await readFile(`charts/${chart}/Chart.yaml`, 'utf8')
    expect(text).toContain(`\nversion: ${version}\n`)
    expect(text).toContain(`\nappVersion: ${version}\n`)
  }
  expect(await readFile('Dockerfile', 'utf8')).toContain(`\nARG VERSION=${version}\n`)
  expect(await readFile('config/default/kustomization.yaml', 'utf8')).toContain(
    `newTag: ${version}\n`,
  )
})

test('the last stage of the image has no shell, no root and no tag that moves', async () => {
  const dockerfile = await readFile('Dockerfile', 'utf8')
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM ') + 1)
  expect(last).toMatch(/^FROM \S+\/distroless\/\S+:nonroot\n/)
  expect(last).toMatch(/\nUSER 65532:65532\n/)
  expect(last).not.toMatch(/^(RUN|ADD|HEALTHCHECK) /m)
  expect(last).toMatch(/\nENTRYPOINT \["\/usr\/local\/bin\/node"\]\n/)
  expect(dockerfile).not.toMatch(/:latest\b/)
  expect(dockerfile).toContain('cp -r src/db/migrations dist/db/migrations')
})
