import { json } from 'node:stream/consumers'
import { type OpenLoopOptions, openLoop } from './check/openloop.ts'

/**
 * Asks by an open loop, of which it is told at its standard input, and prints the latencies as JSON. A program of its own, so that it
 * can go ahead of whatever shares its core: what it waits for itself it would count as the server's.
 */
process.stdout.write(JSON.stringify(await openLoop((await json(process.stdin)) as OpenLoopOptions)))
