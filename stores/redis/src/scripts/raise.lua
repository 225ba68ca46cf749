-- KEYS: an identity's generation. ARGV: the new one, and for how long.

-- A server without memory lets a script go on that has begun with a write that takes none: ending all sessions of somebody
-- has to be possible then too.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.status_reply('OK')
