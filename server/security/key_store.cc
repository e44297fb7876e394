#include "server/security/key_store.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "server/security/key_file.h"

namespace sightline::server {

absl::StatusOr<std::unique_ptr<KeyStore>> KeyStore::Open(const std::string& path) {
  std::unique_ptr<KeyStore> store(new KeyStore(path));
  SIGHTLINE_RETURN_IF_ERROR(store->Reload());
  return store;
}

std::shared_ptr<const KeyStore::Ring> KeyStore::ring() const {
  base::MutexLock lock(mutex_);
  return ring_;
}

KeyEntryPtr KeyStore::FindKey(absl::string_view presented) const {
  KeyDigest digest;
  SHA256(reinterpret_cast<const unsigned char*>(presented.data()), presented.size(), digest.data());
  KeyEntryPtr found;
  const std::shared_ptr<const Ring> keys = ring();
  for (const KeyEntryPtr& entry : *keys) {
    if (entry->key.sha256.has_value() && CRYPTO_memcmp(entry->key.sha256->data(), digest.data(), digest.size()) == 0) {
      found = entry;
    }
  }
  return found;
}

KeyEntryPtr KeyStore::FindCertificate(absl::string_view common_name) const {
  if (common_name.empty()) return nullptr;
  const std::shared_ptr<const Ring> keys = ring();
  for (const KeyEntryPtr& entry : *keys) {
    if (entry->key.certificate == common_name) return entry;
  }
  return nullptr;
}

KeyStore::Version KeyStore::CurrentVersion() const {
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) return {};
  const auto nanoseconds = [](const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
  return {.inode = static_cast<int64_t>(info.st_ino),
          .bytes = info.st_size,
          .modified_ns = nanoseconds(info.st_mtim),
          .changed_ns = nanoseconds(info.st_ctim)};
}

absl::Status KeyStore::Reload() {
  base::MutexLock lock(reload_mutex_);
  // Before the file is read: one that changes meanwhile is read again.
  read_ = CurrentVersion();
  absl::StatusOr<std::vector<ApiKey>> keys = ReadKeyFile(path_);
  if (!keys.ok()) return keys.status();
  std::map<std::string, std::shared_ptr<KeyUse>> uses;
  for (const KeyEntryPtr& entry : *ring()) uses[entry->key.name] = entry->use;
  auto fresh = std::make_shared<Ring>();
  for (ApiKey& key : *keys) {
    std::shared_ptr<KeyUse>& use = uses[key.name];
    if (use == nullptr) use = std::make_shared<KeyUse>();
    fresh->push_back(std::make_shared<KeyEntry>(std::move(key), use));
  }
  base::Log(base::Severity::kInfo, "keys read", {{"file", path_}, {"keys", absl::StrCat(fresh->size())}});
  base::MutexLock ring_lock(mutex_);
  ring_ = std::move(fresh);
  return absl::OkStatus();
}

void KeyStore::ReloadIfChanged() {
  {
    base::MutexLock lock(reload_mutex_);
    if (CurrentVersion() == read_) return;
  }
  if (const absl::Status status = Reload(); !status.ok()) {
    base::Log(base::Severity::kError, "keys not read again: those before stay in force",
              {{"file", path_}, {"error", std::string(status.message())}});
  }
}

}  // namespace sightline::server
