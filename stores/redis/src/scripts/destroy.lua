-- KEYS: the row. ARGV: its epoch, or nothing for any; how long the tombstone stays.
local key, epoch, lifetime = KEYS[1], unpack(ARGV)

-- The next count, also beyond what Lua's numbers hold; after the last of 64 bits comes zero.
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

local row, problem = head(key)
if problem == 'corrupt' and epoch == '' then
  row = { e = '0', v = false, c = text(now), a = text(now), t = text(now), x = text(now + 1) }
elseif not row then
  return problem
end
if row.x - now <= 0 or row.v == '' then
  return 'missing'
end
if epoch ~= '' and row.e ~= epoch then
  return 'superseded'
end
local ends = text(now + lifetime)
redis.call('UNLINK', key)
redis.call('HSET', key, 'e', after(row.e), 'g', '0', 'n', '0', 'v', '', 'c', row.c, 'a', row.a, 't', row.t, 'r', text(now), 'x', ends)
redis.call('PEXPIREAT', key, ends)
return 'destroyed'
