// ShownSettings: the settings in force that are not the default, for /statusz.
//
// Threading: all methods may be called from any thread. Failure: none.
#ifndef SIGHTLINE_SERVER_OBSERVE_SHOWN_SETTINGS_H_
#define SIGHTLINE_SERVER_OBSERVE_SHOWN_SETTINGS_H_

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "server/options.h"

namespace sightline::server {

class ShownSettings {
 public:
  using Settings = std::vector<std::pair<std::string, std::string>>;

  explicit ShownSettings(Settings settings) : settings_(std::move(settings)) {}

  // Takes over those that change while the server runs. The others need a restart, and are not in force.
  void Reload(const Settings& settings) ABSL_LOCKS_EXCLUDED(mutex_) {
    const auto is_live = [](const auto& setting) {
      return std::find(kLiveSettings.begin(), kLiveSettings.end(), setting.first) != kLiveSettings.end();
    };
    base::MutexLock lock(mutex_);
    std::erase_if(settings_, is_live);
    std::copy_if(settings.begin(), settings.end(), std::back_inserter(settings_), is_live);
    std::sort(settings_.begin(), settings_.end());
  }

  Settings Get() const ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    return settings_;
  }

 private:
  mutable base::Mutex mutex_;
  Settings settings_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OBSERVE_SHOWN_SETTINGS_H_
