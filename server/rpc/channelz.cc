#include "server/rpc/channelz.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace sightline::server {
namespace {

using nlohmann::json;

// Of what one of gRPC's functions has written; null where it wrote nothing.
json Parse(char* text) {
  const std::unique_ptr<char, void (*)(void*)> owned(text, gpr_free);
  return text == nullptr ? json() : json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
}

// gRPC writes 64-bit numbers as strings, and leaves out zeros.
int64_t NumberAt(const json& from, const char* pointer) {
  const json::json_pointer path(pointer);
  int64_t number = 0;
  if (!from.contains(path) || !from[path].is_string()) return 0;
  return absl::SimpleAtoi(from[path].get<std::string>(), &number) ? number : 0;
}

std::string TextAt(const json& from, const char* pointer) {
  const json::json_pointer path(pointer);
  return from.contains(path) && from[path].is_string() ? from[path].get<std::string>() : "";
}

// The elements of a list, of which gRPC leaves out an empty one.
const json& ListAt(const json& from, const char* name) {
  static const json kNone = json::array();
  return from.contains(name) && from[name].is_array() ? from[name] : kNone;
}

}  // namespace

Channelz Channelz::OfNewestServer() {
  intptr_t newest = 0;
  for (;;) {
    const json page = Parse(grpc_channelz_get_servers(newest + 1));
    for (const json& server : ListAt(page, "server")) {
      newest = std::max<intptr_t>(newest, NumberAt(server, "/ref/serverId"));
    }
    if (page.is_null() || page.is_discarded() || page.contains("end") || ListAt(page, "server").empty()) break;
  }
  return Channelz(newest);
}

int64_t Channelz::CallsStarted() const {
  return NumberAt(Parse(grpc_channelz_get_server(server_)), "/server/data/callsStarted");
}

std::vector<ConnectionCalls> Channelz::Connections() const {
  std::vector<ConnectionCalls> connections;
  intptr_t last = 0;
  for (;;) {
    const json page = Parse(grpc_channelz_get_server_sockets(server_, last + 1, /*max_results=*/0));
    const json& sockets = ListAt(page, "socketRef");
    for (const json& socket : sockets) {
      const int64_t id = NumberAt(socket, "/socketId");
      last = std::max<intptr_t>(last, id);
      const json counts = Parse(grpc_channelz_get_socket(id));
      const std::string name = TextAt(socket, "/name");
      connections.push_back({.peer = std::string(absl::StripPrefix(name, "chttp2 ")),
                             .started = NumberAt(counts, "/socket/data/streamsStarted")});
    }
    if (sockets.empty() || page.contains("end")) return connections;
  }
}

}  // namespace sightline::server
