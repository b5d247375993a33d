// What Redis is asked to do, each in one step, on keys of one slot, and again without harm: a command whose answer was lost is sent
// again. They use nothing that is not in Redis 6, Valkey and their clusters. The keys, behind the prefix and the version of this format:
//
//   {nodes}:n:ID     EPOCH RUN and a record of the node as JSON    lives for the lease; its life is the node's
//   {nodes}:all      node ids by the time of their last word (ms)   swept of those that are long gone
//   {nodes}:has:ID   what the node has, as JSON (roll.ts)          outlives the node for as long as that is remembered in `all`
//   {nodes}:for:ID   notes that others have left for a node         taken with its next word
//   s:{V/A/S}        FENCE NODE EPOCH PUBLISH SINCE RTMP             who has the stream: void when the node lives no more, or anew
//   h:{V/A/S}:ZONE   of each node of a zone that has it from others: EPOCH and the nodes on the way to its owner
//   a:{V/A/S}:ZONE   which nodes of a zone have asked for it within a second
//   f:{V/A/S}        the highest fence so far                       so that it grows over releases
//
// A fence is the time at which it was given, in microseconds by the server's clock, or one more than the last: it grows over every
// loss of the data, and no box's own clock has a say.
import { formatEndpoint } from "../conf/meaning/endpoint.js";
import type { Endpoint } from "../conf/meaning/config.js";
import type { StreamName } from "../ipc/locating.js";

/** Of the format of keys and values. */
const schema = "1:";
/** Pointers and fences of streams of which nobody has said anything for so long are forgotten. */
const streamTtlMs = 2 * 86_400_000;
/** Nodes of a zone that offer a stream: enough to choose from. */
export const maxOffers = 64;
/** Offers that nobody tells again. */
const offerTtlMs = 120_000;
/** Nodes that ask within so long ask at the same time. */
const crowdMs = 1_000;
/** For how many leases a node is remembered that says nothing more: it is shown as lost. */
const rememberedLeases = 10;
/** Notes for a node that does not come for them. */
const notesTtlMs = 60_000;
const maxNotes = 1000;

/** What a script is sent with. */
export interface Call {
  readonly script: ScriptName;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

type ScriptName = keyof typeof scripts;

export const scripts = {
  /** → how (`kept`, `new`: the key was away, `other`: another process has the name), the number of nodes, and the notes. */
  dolphinSpeak: `
local current = redis.call('GET', KEYS[1])
local how = 'kept'
if not current then how = 'new'
elseif string.match(current, '^(%S+)') ~= ARGV[2] then
  if ARGV[5] ~= 'first' then return {'other', 0} end
  how = 'new'
end
redis.call('SET', KEYS[1], ARGV[2] .. ' ' .. ARGV[6] .. ' ' .. ARGV[3], 'PX', ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, now - ${rememberedLeases} * ARGV[4])
if ARGV[7] ~= '' then redis.call('SET', KEYS[4], ARGV[7], 'PX', ${rememberedLeases} * ARGV[4])
else redis.call('PEXPIRE', KEYS[4], ${rememberedLeases} * ARGV[4]) end
local answer = {how, redis.call('ZCARD', KEYS[2])}
local notes = redis.call('LRANGE', KEYS[3], 0, -1)
if #notes > 0 then redis.call('DEL', KEYS[3]) end
for _, note in ipairs(notes) do answer[#answer + 1] = note end
return answer`,
  dolphinLeave: `
local current = redis.call('GET', KEYS[1])
if current and string.match(current, '^%S+ %S+') == ARGV[2] .. ' ' .. ARGV[3] then
  redis.call('DEL', KEYS[1], KEYS[3], KEYS[4])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1`,
  /** → the server's time (ms), and of each node its name and the time of its last word. */
  dolphinNodes: `
local time = redis.call('TIME')
local answer = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
table.insert(answer, 1, string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
return answer`,
  /** → the values of all keys; an empty text for one that is away. */
  dolphinRead: `
local answer = {}
for at, key in ipairs(KEYS) do answer[at] = redis.call('GET', key) or '' end
return answer`,
  dolphinNote: `
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -${maxNotes}, -1)
redis.call('PEXPIRE', KEYS[1], ${notesTtlMs})
return 1`,
  /**
   * ARGV: node, epoch, publish id, the rest of the value, the fence that is held (0: none yet), the value that may be replaced, whoever
   * it names. → `kept`, `won`, `busy` or `lost`, the fence, and the value that was there.
   */
  dolphinClaim: `
local current = redis.call('GET', KEYS[1]) or ''
local fence, node, epoch, publish = string.match(current, '^(%d+) (%S+) (%S+) (%S+)')
local held = tonumber(ARGV[5])
if fence then
  if node == ARGV[1] and epoch == ARGV[2] and publish == ARGV[3] then
    redis.call('PEXPIRE', KEYS[1], ${streamTtlMs})
    redis.call('PEXPIRE', KEYS[2], ${streamTtlMs})
    return {'kept', fence, current}
  end
  if held > 0 then
    if tonumber(fence) >= held then return {'lost', fence, current} end
  elseif node ~= ARGV[1] and current ~= ARGV[6] then return {'busy', fence, current}
  end
end
local highest = tonumber(redis.call('GET', KEYS[2]) or '0')
if held == 0 then
  local time = redis.call('TIME')
  held = math.max(highest + 1, tonumber(fence or '0') + 1, time[1] * 1000000 + time[2])
end
local text = string.format('%.0f', held)
redis.call('SET', KEYS[2], string.format('%.0f', math.max(held, highest)), 'PX', ${streamTtlMs})
redis.call('SET', KEYS[1], text .. ' ' .. ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4], 'PX', ${streamTtlMs})
return {'won', text, current}`,
  /**
   * ARGV: the node that will pull the stream; empty: none. → the pointer, as which of the zone's nodes this one asks at the moment (0: it
   * has asked already), and the offers of those that have the stream.
   */
  dolphinFind: `
local current = redis.call('GET', KEYS[1]) or ''
local rank = 0
if current ~= '' and ARGV[1] ~= '' and redis.call('SADD', KEYS[3], ARGV[1]) == 1 then
  rank = redis.call('SCARD', KEYS[3])
  if rank == 1 then redis.call('PEXPIRE', KEYS[3], ${crowdMs}) end
end
local answer = redis.call('HGETALL', KEYS[2])
table.insert(answer, 1, rank)
table.insert(answer, 1, current)
return answer`,
  dolphinOffer: `
if redis.call('HLEN', KEYS[1]) >= ${maxOffers} and not redis.call('HGET', KEYS[1], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ${offerTtlMs})
return 1`,
  /** ARGV: node, epoch. What another life of that node has offered stays. */
  dolphinWithdraw: `
local offer = redis.call('HGET', KEYS[1], ARGV[1])
if offer and string.match(offer, '^%S+') == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0`,
  /** → a fence that would be higher than all so far, and who has the stream; nothing is written, for whoever asks may be refused. */
  dolphinFence: `
local current = redis.call('GET', KEYS[1]) or ''
local fence = tonumber(string.match(current, '^(%d+)') or '0')
local highest = tonumber(redis.call('GET', KEYS[2]) or '0')
local time = redis.call('TIME')
return {string.format('%.0f', math.max(highest + 1, fence + 1, time[1] * 1000000 + time[2])), current}`,
  dolphinRelease: `
local current = redis.call('GET', KEYS[1]) or ''
local _, node, epoch, publish = string.match(current, '^(%d+) (%S+) (%S+) (%S+)')
if node == ARGV[1] and epoch == ARGV[2] and publish == ARGV[3] then return redis.call('DEL', KEYS[1]) end
return 0`,
} as const;

/** Which node speaks: its name, and which of the processes that have had this name. */
export interface Self {
  readonly id: string;
  readonly epoch: string;
  /** Which of the processes of this epoch: an upgrade has two for a while. */
  readonly run: string;
  readonly rtmp: Endpoint;
}

/** What a stream's key says. */
export interface Pointer {
  readonly text: string;
  readonly fence: number;
  readonly node: string;
  readonly epoch: string;
  readonly publish: string;
  readonly sinceMs: number;
  readonly rtmp: string;
}

/** Reads a stream's key; null: nobody has it, or the value is not of this format. */
export function parsePointer(text: unknown): Pointer | null {
  if (typeof text !== "string") return null;
  const [, fence, node, epoch, publish, since, rtmp] = /^(\d+) (\S+) (\S+) (\S+) (\d+) (\S+)$/.exec(text) ?? [];
  if (fence === undefined) return null;
  return { text, fence: Number(fence), node: node!, epoch: epoch!, publish: publish!, sinceMs: Number(since), rtmp: rtmp! };
}

/** What a node says to stay alive. */
interface Word {
  readonly record: string;
  readonly roll?: string;
  readonly leaseMs: number;
  readonly isFirst: boolean;
}

/** The names of all keys of a site. */
export class Keys {
  private readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = `${prefix}${schema}`;
  }

  node(id: string): string {
    return `${this.prefix}{nodes}:n:${id}`;
  }

  nodes(): string {
    return `${this.prefix}{nodes}:all`;
  }

  notes(id: string): string {
    return `${this.prefix}{nodes}:for:${id}`;
  }

  has(id: string): string {
    return `${this.prefix}{nodes}:has:${id}`;
  }

  stream(key: string): string {
    return `${this.prefix}s:{${key}}`;
  }

  fence(key: string): string {
    return `${this.prefix}f:{${key}}`;
  }

  /** Sets the node's lease; `isFirst`: whoever had the name before has it no more. `roll`: what it has; empty: the same as before. */
  speak({ id, epoch, run }: Self, { record, roll = "", leaseMs, isFirst }: Word): Call {
    return { script: "dolphinSpeak", keys: this.ofNode(id), args: [id, epoch, record, leaseMs, isFirst ? "first" : "", run, roll] };
  }

  leave({ id, epoch, run }: Self): Call {
    return { script: "dolphinLeave", keys: this.ofNode(id), args: [id, epoch, run] };
  }

  listNodes(): Call {
    return { script: "dolphinNodes", keys: [this.nodes()], args: [] };
  }

  /** The record and the roll of each. */
  readNodes(ids: readonly string[]): Call {
    return { script: "dolphinRead", keys: ids.flatMap((id) => [this.node(id), this.has(id)]), args: [] };
  }

  note(id: string, note: string): Call {
    return { script: "dolphinNote", keys: [this.notes(id)], args: [note] };
  }

  claim(self: Self, key: string, by: { publish: string; sinceMs: number; held: number; mayReplace: string }): Call {
    const rest = `${Math.round(by.sinceMs)} ${formatEndpoint(self.rtmp)}`;
    const args = [self.id, self.epoch, by.publish, rest, by.held, by.mayReplace];
    return { script: "dolphinClaim", keys: [this.stream(key), this.fence(key)], args };
  }

  /** `by`: the asker, who does not have the stream and will pull it; null: nobody. */
  find(key: string, { zone, by }: { readonly zone: string; readonly by: Self | null }): Call {
    const keys = [this.stream(key), this.offers(key, zone), `${this.prefix}a:{${key}}:${zone}`];
    return { script: "dolphinFind", keys, args: [by?.id ?? ""] };
  }

  /** `path`: the nodes on the way to the owner, with commas. */
  offer({ id, epoch }: Self, key: string, { zone, path }: { readonly zone: string; readonly path: string }): Call {
    return { script: "dolphinOffer", keys: [this.offers(key, zone)], args: [id, `${epoch} ${path}`] };
  }

  withdraw(key: string, { zone, node, epoch }: { readonly zone: string; readonly node: string; readonly epoch: string }): Call {
    return { script: "dolphinWithdraw", keys: [this.offers(key, zone)], args: [node, epoch] };
  }

  nextFence(key: string): Call {
    return { script: "dolphinFence", keys: [this.stream(key), this.fence(key)], args: [] };
  }

  release({ id, epoch }: Self, key: string, publish: string): Call {
    return { script: "dolphinRelease", keys: [this.stream(key)], args: [id, epoch, publish] };
  }

  private offers(key: string, zone: string): string {
    return `${this.prefix}h:{${key}}:${zone}`;
  }

  private ofNode(id: string): readonly string[] {
    return [this.node(id), this.nodes(), this.notes(id), this.has(id)];
  }
}

/** A stream by its name in keys. */
export function keyOf({ vhost, app, stream }: StreamName): string {
  return `${vhost}/${app}/${stream}`;
}
