# What the broker can do is the first thing that a client asks.

# From version 3 on with features; those whose lowest version is 0 are only for version 4.
a > ApiVersions 3 {ClientSoftwareName: story, ClientSoftwareVersion: 1}
a < {ErrorCode: NONE, ApiKeys: [{ApiKey: 0, MinVersion: 0, MaxVersion: 13}, {ApiKey: 1, MinVersion: 4, MaxVersion: 18}
        {ApiKey: 2, MinVersion: 1, MaxVersion: 11}, ...],
        FinalizedFeatures: [...]}
a > ApiVersions 4 {ClientSoftwareName: story, ClientSoftwareVersion: 1}
a < {ErrorCode: NONE, SupportedFeatures: [...], FinalizedFeatures: [...]}
a > ApiVersions 0 {}
a < {ErrorCode: NONE, ApiKeys: [{ApiKey: 0, MinVersion: 0, MaxVersion: 13}, ...]}

# A version that nobody knows yet is answered in version 0, which names the versions that are known.
a > ApiVersions 5 {ClientSoftwareName: story, ClientSoftwareVersion: 1}
a < {ErrorCode: UNSUPPORTED_VERSION, ApiKeys: [{ApiKey: 18, MinVersion: 0, MaxVersion: 4}]}

# A client has to say what it is by a name that is one.
a > ApiVersions 3 {ClientSoftwareName: "no name", ClientSoftwareVersion: 1}
a < {ErrorCode: INVALID_REQUEST}
a > ApiVersions 3 {ClientSoftwareName: "", ClientSoftwareVersion: ""}
a < {ErrorCode: INVALID_REQUEST}
a > ApiVersions 2 {}
a < {ErrorCode: NONE}
