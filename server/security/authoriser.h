// Authoriser: who may call what, how often and how much at once. It is asked about every call before any work is done
// for it; a stream is asked about once for each of its messages.
//
// A caller shows a key as `authorization: Bearer KEY`, or a client certificate whose common name the keys file maps to
// a key; a key that is shown wins. A key that is limited to collections may call what names one of them, and the few
// methods of kNameNone, whose answers leave out what is not the key's.
//
// Threading: as CallObserver. Ownership: borrows keys, metrics and clock. Failure: UNAUTHENTICATED for who is not
// known, PERMISSION_DENIED for what is not allowed, RESOURCE_EXHAUSTED with a retry delay for what is too much. No
// answer holds a key or tells whether a collection exists.
#ifndef SIGHTLINE_SERVER_SECURITY_AUTHORISER_H_
#define SIGHTLINE_SERVER_SECURITY_AUTHORISER_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/call_observer.h"
#include "server/metrics.h"
#include "server/security/key_store.h"

namespace sightline::server {

class Authoriser final : public CallObserver {
 public:
  Authoriser(const KeyStore& keys, Metrics& metrics, const base::Clock& clock)
      : keys_(keys), metrics_(metrics), clock_(clock) {}

  absl::Status Arrived(const CallMetadata& metadata, CallInfo* call) override;
  void Ended(const Request& request, const absl::Status& status) override;

 private:
  absl::StatusOr<KeyEntryPtr> Identify(const CallMetadata& metadata, const CallInfo& call) const;
  absl::Status CheckScope(const ApiKey& key, const CallInfo& call) const;
  absl::Status CheckCollection(const ApiKey& key, const CallInfo& call) const;
  absl::Status CheckAmount(const KeyEntry& entry) const;
  absl::Status Refuse(absl::string_view counted, absl::Status status) const;

  const KeyStore& keys_;
  Metrics& metrics_;
  const base::Clock& clock_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_AUTHORISER_H_
