-- KEYS: an identity's generation. ARGV: the new generation, and its lifetime.

-- PEXPIRE comes first, although SET sets the lifetime again: it needs no memory, and a server that is out of memory lets a
-- script go on that has already written. So "log out everywhere" works there too (R14).
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.status_reply('OK')
