-- KEYS: an identity's ids, when each was noted and until when, its generation. ARGV: an id, and for how long.
local ids, times, generation = unpack(KEYS)
local id, lifetime = unpack(ARGV)
local before = redis.call('GET', generation)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function until_when(noted)
  return tonumber(noted and noted:match('^%d+ (%d+)$')) or 0
end

-- Reads first: where a key is of another type nothing is written.
local ends = math.max(now + lifetime, until_when(redis.call('HGET', times, id)))
redis.call('ZSCORE', ids, id)
redis.call('HSET', times, id, string.format('%.0f %.0f', now, ends))
redis.call('ZADD', ids, 0, id)

-- Each sign-in forgets up to ten of those that are over: the list does not grow for ever, and no sign-in takes long.
local some = redis.call('HRANDFIELD', times, 10, 'WITHVALUES')
for place = 1, #some, 2 do
  if until_when(some[place + 1]) <= now then
    redis.call('HDEL', times, some[place])
    redis.call('ZREM', ids, some[place])
  end
end

-- As long as the longest of its entries.
if redis.call('PTTL', ids) < ends - now then
  for _, key in ipairs({ ids, times }) do
    redis.call('PEXPIREAT', key, string.format('%.0f', ends))
  end
end
return before
