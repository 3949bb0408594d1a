-- Requests for wrk, and its result as JSON, in the last line. Arguments: the directory with the requests, their number,
-- the placeholder of a number, the first number, and its digits.
--
-- Requests are read from files and split at the placeholder. A constant request is given to wrk once, which is
-- faster than calling a function for each. CPU time is read before the histogram is written.

local function pieces_of(path, placeholder)
   local file = assert(io.open(path, "rb"))
   local text = file:read("*a")
   file:close()
   local pieces, from = {}, 1
   while true do
      local first, last = text:find(placeholder, from, true)
      pieces[#pieces + 1] = text:sub(from, first and first - 1 or -1)
      if not first then return pieces end
      from = last + 1
   end
end

function init(arguments)
   local directory, count, placeholder, number, digits = unpack(arguments)
   local templates, form = {}, "%0" .. digits .. "d"
   for index = 1, count do templates[index] = pieces_of(directory .. "/" .. index, placeholder) end
   if #templates == 1 and #templates[1] == 1 then
      wrk.format = function() return templates[1][1] end
      return
   end
   request = function()
      number = number + 1
      local pieces = templates[number % count + 1]
      if #pieces == 1 then return pieces[1] end
      return table.concat(pieces, string.format(form, number))
   end
end

function done(summary, latency)
   local counts, times = {string.format('"cpu": %d', os.clock() * 1e6)}, {}
   for name, count in pairs(summary.errors) do counts[#counts + 1] = string.format('"%s": %d', name, count) end
   for _, name in ipairs({"duration", "requests", "bytes"}) do
      counts[#counts + 1] = string.format('"%s": %d', name, summary[name])
   end
   for index = 1, #latency do times[index] = string.format("[%d, %d]", latency(index)) end
   print(string.format('{%s, "times": [%s]}', table.concat(counts, ", "), table.concat(times, ", ")))
end
