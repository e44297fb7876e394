#include "server/int8_choice.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace sightline::server {

App::LoadModel WithInt8(std::vector<std::string> names, App::LoadModel load) {
  return [names = std::move(names), load = std::move(load)](const std::string& directory, model::LoadOptions options) {
    // "zoo/name/" ends with an empty component.
    const std::string name = (std::filesystem::path(directory) / "").parent_path().filename().string();
    const bool wanted = std::any_of(names.begin(), names.end(),
                                    [&name](const std::string& one) { return one == "all" || one == name; });
    if (wanted) options.numeric = model::Numeric::kInt8;
    return load(directory, options);
  };
}

}  // namespace sightline::server
