-- Requests for wrk, and its result as JSON, in the last line. Arguments: the directory with the requests, their number,
-- the placeholder of a number, the first number, its digits, and the pipelined requests per batch.
--
-- Requests are read from files and split at the placeholder. A constant request is given to wrk once, which is
-- faster than calling a function for each. CPU time is read before the histogram is written.
--
-- No two requests have the same number: wrk has one thread, thus one counter for all connections, and each run of wrk
-- has a range of numbers of its own.

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
   local directory, count, placeholder, number, digits, depth = unpack(arguments)
   local templates, form = {}, "%0" .. digits .. "d"
   for index = 1, count do templates[index] = pieces_of(directory .. "/" .. index, placeholder) end
   if #templates == 1 and #templates[1] == 1 then
      local batch = templates[1][1]:rep(depth)
      wrk.format = function() return batch end
      return
   end
   local batch = {}
   request = function()
      for index = 1, depth do
         number = number + 1
         batch[index] = table.concat(templates[number % count + 1], string.format(form, number))
      end
      return table.concat(batch)
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
