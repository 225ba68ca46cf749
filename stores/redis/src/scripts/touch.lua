-- KEYS: the record. ARGV: its epoch; idle lifetime, absolute lifetime, extent.
local key, epoch, idle, absolute, extent = KEYS[1], unpack(ARGV)
local record, problem = head(key)
problem = problem or refusal(record, epoch)
if problem then
  return problem
end
local ends = extended(record, idle, absolute, extent)
-- An idle lifetime of zero ends the session, which is not a use of it.
write(key, ends, { 'x', ends, 't', idle == '0' and record.t or text(now) }, {}, false)
return 'applied'
