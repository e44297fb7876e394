// The model.json that a training configuration, a study or an import names: a folder of the zoo, or the path of a model
// folder or of a model.json. A name that is both, such as "dtop_tiny" beside a folder of that name, is the zoo's.
//
// Threading: pure functions of the file system. Failure: INVALID_ARGUMENT with reason MODEL_NOT_FOUND; the file
// layer's.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadArchitecture("dtop_tiny", "model/zoo"));
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_ARCHITECTURE_FILE_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_ARCHITECTURE_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace sightline::train {

// Its path, where there is a file.
absl::StatusOr<std::string> FindArchitecture(const std::string& name, const std::string& zoo);

// Its text, not parsed.
absl::StatusOr<std::string> ReadArchitecture(const std::string& name, const std::string& zoo);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_ARCHITECTURE_FILE_H_
