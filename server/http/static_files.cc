#include "server/http/static_files.h"

#include <zlib.h>

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/sha256.h"

namespace sightline::server {
namespace {

constexpr size_t kFileTagDigits = 16;
constexpr int kGzip = 15 + 16;  // zlib's window, and its way to ask for gzip's header
constexpr int kMemoryLevel = 9;

// Everything comes from the server itself; pictures may also be made by the page, from what was dropped on it or
// fetched with a key. No text becomes markup or script: browsers that know trusted types refuse to let it.
constexpr char kContentPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'";

std::string TypeOf(absl::string_view path) {
  constexpr std::array<std::pair<absl::string_view, const char*>, 8> kTypes = {{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".svg", "image/svg+xml"},
      {".json", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".png", "image/png"},
      {".txt", "text/plain; charset=utf-8"},
  }};
  for (const auto& [end, type] : kTypes) {
    if (absl::EndsWith(path, end)) return type;
  }
  return "application/octet-stream";
}

std::string Gzip(absl::string_view content) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) return "";
  std::string out(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(whole ? stream.total_out : 0);
  deflateEnd(&stream);
  return out.size() < content.size() ? out : "";
}

bool TakesGzip(const HttpHead& head) {
  for (const absl::string_view word : absl::StrSplit(head.Header("accept-encoding"), ',')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(word, absl::MaxSplits(';', 1));
    if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts.first), "gzip")) continue;
    absl::string_view weight = absl::StripAsciiWhitespace(parts.second);
    double quality = 1;
    return !absl::ConsumePrefix(&weight, "q=") || (absl::SimpleAtod(weight, &quality) && quality > 0);
  }
  return false;
}

// Whether the caller has this version already.
bool HasTag(const HttpHead& head, absl::string_view tag) {
  for (const absl::string_view word : absl::StrSplit(head.Header("if-none-match"), ',')) {
    absl::string_view one = absl::StripAsciiWhitespace(word);
    absl::ConsumePrefix(&one, "W/");
    if (one == tag || one == "*") return true;
  }
  return false;
}

}  // namespace

StaticFiles::StaticFiles(absl::Span<const EmbeddedFile> files) {
  for (const EmbeddedFile& file : files) {
    files_[std::string(file.path)] = {.content = std::string(file.content),
                                      .packed = Gzip(file.content),
                                      .type = TypeOf(file.path),
                                      .tag = base::Sha256Hex(file.content).substr(0, kFileTagDigits)};
  }
}

std::optional<HttpReply> StaticFiles::Find(const HttpHead& head) const {
  const auto found = files_.find(head.path == "/" ? absl::string_view("/index.html") : absl::string_view(head.path));
  if (found == files_.end()) return std::nullopt;
  if (head.method != "GET" && head.method != "HEAD") {
    return HttpReply{.code = 405, .body = "only GET and HEAD are answered here\n", .headers = {{"Allow", "GET, HEAD"}}};
  }
  const File& file = found->second;
  const bool packed = !file.packed.empty() && TakesGzip(head);
  const std::string tag = absl::StrCat("\"", file.tag, packed ? "-gz" : "", "\"");
  HttpReply reply{.content_type = file.type,
                  .headers = {{"ETag", tag},
                              {"Cache-Control", "no-cache"},  // kept, and asked for: the next version may be another
                              {"Vary", "Accept-Encoding"},
                              {"Content-Security-Policy", kContentPolicy},
                              {"Cross-Origin-Opener-Policy", "same-origin"},
                              {"Cross-Origin-Resource-Policy", "same-origin"},
                              {"Referrer-Policy", "no-referrer"}},
                  .may_be_cached = true};
  if (HasTag(head, tag)) {
    reply.code = 304;
    return reply;
  }
  if (packed) reply.headers.emplace_back("Content-Encoding", "gzip");
  reply.shared_body = packed ? &file.packed : &file.content;
  return reply;
}

}  // namespace sightline::server
