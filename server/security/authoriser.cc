#include "server/security/authoriser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"

namespace sightline::server {
namespace {

// Far beyond any key that `sightline keys create` makes; what is longer is not hashed.
constexpr size_t kMaxKeyBytes = 512;
constexpr size_t kShownPatterns = 8;
constexpr size_t kShownName = 64;  // of a collection that a caller names: it may be as long as a message

// Methods that name no collection and whose answers hold only what the caller's grant covers.
constexpr std::array<absl::string_view, 7> kNameNone = {
    "ServerService/GetServerInfo",     "CollectionService/ListCollections", "ModelService/ListModels",
    "ModelService/GetModel",           "OperationService/GetOperation",     "OperationService/ListOperations",
    "OperationService/CancelOperation"};

// It names the collection that it makes; the snapshot it reads may be of any other.
constexpr absl::string_view kRestore = "CollectionService/RestoreSnapshot";

const char* ScopeName(Access access) {
  switch (access) {
    case Access::kOpen: return "none";
    case Access::kRead: return "read";
    case Access::kWrite: return "write";
    case Access::kAdmin: return "admin";
  }
  return "admin";
}

std::string Patterns(const ApiKey& key) {
  const size_t shown = std::min(kShownPatterns, key.collections.size());
  return absl::StrCat(absl::StrJoin(key.collections.begin(), key.collections.begin() + static_cast<long>(shown), ", "),
                      key.collections.size() > shown ? ", ..." : "");
}

absl::Status Unauthenticated(absl::string_view reason, absl::string_view message) {
  return base::Error(absl::StatusCode::kUnauthenticated, reason, message);
}

absl::Status Denied(absl::string_view reason, absl::string_view message, base::ErrorFacts facts) {
  return base::Error(absl::StatusCode::kPermissionDenied, reason, message, std::move(facts));
}

}  // namespace

absl::Status Authoriser::Refuse(absl::string_view counted, absl::Status status) const {
  metrics_.CountAuthFailure(counted);
  return status;
}

absl::StatusOr<KeyEntryPtr> Authoriser::Identify(const CallMetadata& metadata, const CallInfo& call) const {
  const absl::string_view header = metadata.Header("authorization");
  if (header.empty()) {
    const std::string certificate = metadata.CertificateName();
    if (KeyEntryPtr entry = keys_.FindCertificate(certificate); entry != nullptr) return entry;
    const std::string whose =
        certificate.empty() ? "" : absl::StrCat(", and its certificate '", certificate, "' stands for none");
    return Refuse("missing",
                  Unauthenticated("KEY_MISSING",
                                  absl::StrCat(call.method, " needs a key and the call brings none", whose,
                                               ". Send the metadata `authorization: Bearer KEY`; the program sightline "
                                               "takes KEY from SIGHTLINE_API_KEY or --api_key_file.")));
  }
  constexpr absl::string_view kBearer = "bearer ";
  absl::string_view presented = header;
  if (!absl::StartsWithIgnoreCase(header, kBearer) || header.size() > kBearer.size() + kMaxKeyBytes) {
    return Refuse("malformed", Unauthenticated("KEY_MALFORMED",
                                               "the metadata `authorization` holds no key of this server. Write it "
                                               "as `Bearer KEY`, with the key as it was printed."));
  }
  presented.remove_prefix(kBearer.size());
  KeyEntryPtr entry = keys_.FindKey(absl::StripAsciiWhitespace(presented));
  if (entry != nullptr) return entry;
  return Refuse("unknown", Unauthenticated("KEY_UNKNOWN",
                                           "the key is none of this server's. Check that it was copied whole and is "
                                           "for this server, or ask the administrator for another."));
}

absl::Status Authoriser::CheckScope(const ApiKey& key, const CallInfo& call) const {
  if (call.access <= key.scope) return absl::OkStatus();
  return Refuse("scope", Denied("SCOPE_TOO_SMALL",
                                absl::StrCat(call.method, " needs a key of scope ", ScopeName(call.access),
                                             "; the key '", key.name, "' has scope ", ScopeName(key.scope),
                                             ". Use another key, or ask the administrator for one."),
                                {{"limit", ScopeName(key.scope)}, {"actual", ScopeName(call.access)}}));
}

absl::Status Authoriser::CheckCollection(const ApiKey& key, const CallInfo& call) const {
  if (!key.limited()) return absl::OkStatus();
  const auto deny = [&](absl::string_view reason, absl::string_view problem, absl::string_view remedy) {
    return Refuse("collection", Denied(reason,
                                       absl::StrCat(problem, ", and the key '", key.name, "' is only for ",
                                                    Patterns(key), ". ", remedy),
                                       {{"limit", Patterns(key)}, {"actual", call.collection.substr(0, kShownName)}}));
  };
  if (call.method == kRestore) {
    return deny("METHOD_NOT_FOR_LIMITED_KEY", absl::StrCat(call.method, " may read a snapshot of any collection"),
                "Use a key that is not limited to collections.");
  }
  if (call.collection.empty()) {
    if (std::find(kNameNone.begin(), kNameNone.end(), call.method) != kNameNone.end()) return absl::OkStatus();
    return deny("COLLECTION_NOT_NAMED", absl::StrCat("the call to ", call.method, " names no collection"),
                "Name one of them where the method takes one, or use a key that is not limited to collections.");
  }
  if (key.Covers(call.collection)) return absl::OkStatus();
  return deny("COLLECTION_NOT_GRANTED",
              absl::StrCat("the call is for the collection '", call.collection.substr(0, kShownName), "'"),
              "Use a key for that collection, or ask the administrator for one.");
}

absl::Status Authoriser::CheckAmount(const KeyEntry& entry) const {
  const ApiKey& key = entry.key;
  if (!entry.use->Enter(key.max_in_flight)) {
    metrics_.CountRejected("key_in_flight");
    return base::RetryableError(
        absl::StatusCode::kResourceExhausted, "KEY_IN_FLIGHT",
        absl::StrCat(
            "the key '", key.name, "' has ", *key.max_in_flight,
            " requests in hand, its limit. Wait for answers, or ask the administrator to raise max_in_flight."),
        absl::Milliseconds(250), {{"limit", absl::StrCat(*key.max_in_flight)}});
  }
  if (!key.rate.has_value()) return absl::OkStatus();
  const std::optional<absl::Duration> wait = entry.use->Take(*key.rate, clock_.Steady());
  if (!wait.has_value()) return absl::OkStatus();
  entry.use->Return();
  metrics_.CountRejected("key_rate");
  // Never 0, which would mean at once.
  const absl::Duration delay = std::max(*wait, absl::Milliseconds(1));
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "KEY_RATE",
      absl::StrCat("the key '", key.name, "' asks for more than ", key.rate->per_second, " requests a second, ",
                   key.rate->burst, " at once. Send fewer, or ask the administrator to raise its rate."),
      delay, {{"limit", absl::StrCat(key.rate->per_second)}});
}

absl::Status Authoriser::Arrived(const CallMetadata& metadata, CallInfo* call) {
  if (call->access == Access::kOpen) return absl::OkStatus();
  SIGHTLINE_ASSIGN_OR_RETURN(const KeyEntryPtr entry, Identify(metadata, *call));
  const ApiKey& key = entry->key;
  call->caller = key.name;
  if (key.expires.has_value() && clock_.Now() >= *key.expires) {
    return Refuse("expired",
                  Unauthenticated("KEY_EXPIRED",
                                  absl::StrCat("the key '", key.name, "' expired at ",
                                               absl::FormatTime(absl::RFC3339_sec, *key.expires, absl::UTCTimeZone()),
                                               ". Ask the administrator for another.")));
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckScope(key, *call));
  SIGHTLINE_RETURN_IF_ERROR(CheckCollection(key, *call));
  SIGHTLINE_RETURN_IF_ERROR(CheckAmount(*entry));
  call->grant = entry;
  return absl::OkStatus();
}

void Authoriser::Ended(const Request& request, const absl::Status&) {
  // Only a call that got through has a grant, and with it a place; this class makes all grants.
  if (const Grant* grant = request.call().grant.get(); grant != nullptr) {
    static_cast<const KeyEntry*>(grant)->use->Return();
  }
}

}  // namespace sightline::server
