-- KEYS: the row. ARGV: its time left, then names and values of all that does not depend on the time.
local key = KEYS[1]
if redis.call('EXISTS', key) == 1 then
  return 'taken'
end
local ends, moment = text(now + ARGV[1]), text(now)
local row = { 'c', moment, 'a', moment, 'r', moment, 't', moment, 'x', ends }
for place = 2, #ARGV do
  row[#row + 1] = ARGV[place]
end
write(key, ends, row, {}, true)
return 'inserted'
