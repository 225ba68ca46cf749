-- KEYS: the record. ARGV: its epoch, or the empty text for any epoch; the lifetime of the tombstone.
local key, epoch, lifetime = KEYS[1], unpack(ARGV)

-- The next epoch in decimal digits, because Lua's numbers do not hold 64 bits. The last epoch is followed by zero, as in Rust.
local function after(count)
  if count == '18446744073709551615' then
    return '0'
  end
  local head, nines = count:match('^(%d-)(9*)$')
  local zeros = ('0'):rep(#nines)
  if head == '' then
    return '1' .. zeros
  end
  return head:sub(1, -2) .. string.char(head:byte(-1) + 1) .. zeros
end

local record, problem = head(key)
-- A record that cannot be read can be destroyed, but only by a caller who does not ask for an epoch.
if problem == 'corrupt' and epoch == '' then
  record = { e = '0', v = false, c = text(now), a = text(now), t = text(now), x = text(now + 1) }
elseif not record then
  return problem
end
if record.x - now <= 0 or record.v == '' then
  return 'missing'
end
if epoch ~= '' and record.e ~= epoch then
  return 'superseded'
end
local ends = text(now + lifetime)
-- UNLINK comes first: it needs no memory, so a server that is out of memory still destroys sessions (R14).
redis.call('UNLINK', key)
redis.call('HSET', key, 'e', after(record.e), 'g', '0', 'n', '0', 'v', '', 'c', record.c, 'a', record.a, 't', record.t, 'r', text(now), 'x', ends)
redis.call('PEXPIREAT', key, ends)
return 'destroyed'
