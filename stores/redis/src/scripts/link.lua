-- KEYS: an identity's sessions, a hash from each id to the time it was linked and the time it counts until.
-- ARGV: an id, and for how long it is linked.
--
-- The generation has a key of its own, which this script does not use: while a slot is being moved, a script with two keys fails.
local key, id, lifetime = KEYS[1], unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function counts_until(link)
  return tonumber(link and link:match('^%d+ (%d+)$')) or 0
end

-- Never earlier than before: another sign-in of the session may have linked it for longer.
local ends = math.max(now + lifetime, counts_until(redis.call('HGET', key, id)))
redis.call('HSET', key, id, string.format('%.0f %.0f', now, ends))

-- Each sign-in checks ten links and removes those that have expired. So the hash does not grow for ever, and no sign-in has to
-- go through all of it.
local some = redis.call('HRANDFIELD', key, 10, 'WITHVALUES')
for at = 1, #some, 2 do
  if counts_until(some[at + 1]) <= now then
    redis.call('HDEL', key, some[at])
  end
end

-- The key lives as long as its last link.
if redis.call('PTTL', key) < ends - now then
  redis.call('PEXPIREAT', key, string.format('%.0f', ends))
end
return redis.status_reply('OK')
