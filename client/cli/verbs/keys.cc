#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/sha256.h"
#include "base/status.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kMaxNameBytes = 128;

// A server refuses its whole keys file for an entry that it does not take: better refused here.
bool IsPlain(const std::string& text) {
  return text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7F; });
}

absl::StatusOr<std::string> NewKey() {
  std::string bytes(kKeyBytes, '\0');
  // So few bytes come whole, or not at all.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return base::Error(absl::StatusCode::kInternal, "NO_RANDOM_BYTES",
                       absl::StrCat("the system gives no random bytes: ", std::strerror(errno), ". Try again."));
  }
  // What begins alike is found by tools that look for keys where none should be.
  return absl::StrCat("sightline_", absl::BytesToHexString(bytes));
}

absl::Status UsageError(const char* flag, const std::string& problem) {
  return base::InvalidArgument("USAGE", problem, {{"argument", flag}});
}

// The entry of the server's keys file.
absl::StatusOr<std::string> Entry(const Args& args, const std::string& key) {
  const std::string scope = args.Text("scope");
  const std::vector<std::string> scopes = {"read", "write", "admin"};
  if (args.Text("name").empty()) {
    return UsageError("name", "the key has no name. Add --name NAME: the server's logs show it.");
  }
  if (!IsPlain(args.Text("name"))) {
    return UsageError("name", absl::StrCat("the key's name is longer than ", kMaxNameBytes,
                                           " bytes, or not printable. Choose another."));
  }
  if (std::find(scopes.begin(), scopes.end(), scope) == scopes.end()) {
    return UsageError("scope", absl::StrCat("the scope is \"", scope, "\". Add --scope read, write or admin."));
  }
  JsonObject entry;
  entry.Text("name", args.Text("name")).Text("sha256", base::Sha256Hex(key)).Text("scope", scope);
  if (args.Has("collections")) {
    std::vector<std::string> names;
    for (const absl::string_view name : absl::StrSplit(args.Text("collections"), ',')) {
      if (name.empty()) return UsageError("collections", "--collections holds an empty name. Write a,b or shop-*.");
      names.push_back(JsonText(std::string(name)));
    }
    entry.Raw("collections", JsonArray(names));
  }
  if (args.Has("expires")) {
    absl::Time time;
    std::string ignored;
    if (!absl::ParseTime(absl::RFC3339_full, args.Text("expires"), &time, &ignored) || time == absl::InfiniteFuture() ||
        time == absl::InfinitePast()) {
      return UsageError("expires", absl::StrCat("--expires ", args.Text("expires"),
                                                " is no time. Write it like 2027-01-31T00:00:00Z."));
    }
    entry.Text("expires", args.Text("expires"));
  }
  return entry.Done();
}

int RunKeys(Context& context, const Args& args) {
  if (args.operands() != std::vector<std::string>{"create"}) {
    return Misused(context, "keys", "keys takes one operand, \"create\".");
  }
  const absl::StatusOr<std::string> key = NewKey();
  if (!key.ok()) return Fail(context, args, key.status());
  const absl::StatusOr<std::string> entry = Entry(args, *key);
  if (!entry.ok()) return Fail(context, args, entry.status());
  if (args.Switch("json")) {
    context.out.Write(absl::StrCat(JsonObject().Text("key", *key).Raw("entry", *entry).Done(), "\n"));
    return kOk;
  }
  context.out.Write(absl::StrCat("key, shown this once; give it to the caller:\n  ", *key,
                                 "\nentry for the list \"keys\" of the server's --api_keys file:\n  ", *entry, "\n"));
  return kOk;
}

}  // namespace

Command KeysCommand() {
  return {
      .name = "keys",
      .summary = "make an API key for a caller",
      .operands = "create",
      .about =
          "Makes a random key and prints it, once, with the entry that the server's keys file (--api_keys) needs for\n"
          "it. The entry holds the key's SHA-256 and not the key. Nothing is sent anywhere: add the entry to the file\n"
          "yourself; a running server reads it within seconds.\n\n"
          "  sightline keys create --name shop-web --scope read --collections shop,shop-*\n"
          "  sightline keys create --name nightly-indexer --scope write --expires 2027-01-31T00:00:00Z\n",
      .flags =
          {{.name = "name", .value = "NAME", .help = "whose key it is; logs show it"},
           {.name = "scope", .value = "SCOPE", .help = "read, write or admin", .choices = {"read", "write", "admin"}},
           {.name = "collections", .value = "NAMES", .help = "the only ones it is for: a,b or shop-*; else all"},
           {.name = "expires", .value = "TIME", .help = "when it ends, RFC 3339; else never"}},
      .run = RunKeys,
      .actions = {"create"},
      .aliases = {"key"}};
}

}  // namespace sightline::cli
