// KeyStore: the keys in force, read from a file and read again when it changes.
//
// Threading: all methods from any thread; Reload and ReloadIfChanged read the disk. Ownership: entries are shared, so a
// call keeps the one it came with. Failure: Open refuses a file that cannot be read; later such a file is logged, once
// for each of its versions, and the keys before it stay.
//
//   auto keys = KeyStore::Open("/etc/sightline/keys.json");
//   if (auto key = (*keys)->FindKey(presented)) ...
#ifndef SIGHTLINE_SERVER_SECURITY_KEY_STORE_H_
#define SIGHTLINE_SERVER_SECURITY_KEY_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "server/call_info.h"
#include "server/security/api_key.h"
#include "server/security/key_use.h"

namespace sightline::server {

// A key and its use. As a grant it covers the key's collections.
struct KeyEntry final : public Grant {
  KeyEntry(ApiKey k, std::shared_ptr<KeyUse> u) : key(std::move(k)), use(std::move(u)) {}
  bool Covers(absl::string_view collection) const override { return key.Covers(collection); }

  const ApiKey key;
  const std::shared_ptr<KeyUse> use;
};
using KeyEntryPtr = std::shared_ptr<const KeyEntry>;

class KeyStore {
 public:
  static absl::StatusOr<std::unique_ptr<KeyStore>> Open(const std::string& path);

  // Compares with every key, in a time that depends on none of their bytes. Null when there is none.
  KeyEntryPtr FindKey(absl::string_view presented) const;
  // By the common name of a certificate that TLS has verified.
  KeyEntryPtr FindCertificate(absl::string_view common_name) const;

  // Reads the file again.
  absl::Status Reload();
  // The same when the file is another than the one read last.
  void ReloadIfChanged();

  size_t size() const { return ring()->size(); }

 private:
  using Ring = std::vector<KeyEntryPtr>;
  // What tells one version of a file from the next.
  struct Version {
    int64_t inode = 0, bytes = 0, modified_ns = 0, changed_ns = 0;
    bool operator==(const Version&) const = default;
  };

  explicit KeyStore(std::string path) : path_(std::move(path)) {}
  Version CurrentVersion() const;
  std::shared_ptr<const Ring> ring() const;

  const std::string path_;
  base::Mutex reload_mutex_;  // held while the file is read; taken before mutex_
  Version read_ ABSL_GUARDED_BY(reload_mutex_);
  mutable base::Mutex mutex_;
  std::shared_ptr<const Ring> ring_ ABSL_GUARDED_BY(mutex_) = std::make_shared<Ring>();
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_KEY_STORE_H_
