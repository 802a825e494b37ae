# The levels of what is logged, as kafka-configs --entity-type broker-loggers sees and alters them.

a > ListConfigResources 1 {ResourceTypes: [8]}
a < {ErrorCode: NONE, ConfigResources: [{ResourceType: 8, ResourceName: "1"}]}
a > DescribeConfigs 4 {Resources: [{ResourceType: 8, ResourceName: "1", ConfigurationKeys: [root, kafka_trouble, none]}, {ResourceType: 8, ResourceName: "1", ConfigurationKeys: null}]}
a < {Results: [{ErrorCode: NONE, ResourceType: 8, ResourceName: "1", Configs: [
        {Name: root, Value: $level, ReadOnly: false, ConfigSource: 6, IsSensitive: false, Synonyms: []}, {Name: kafka_trouble, Value: $level}]}
        {ErrorCode: NONE, Configs: [{Name: root}, {Name: started}, ...]}]}

# One has a level of its own, until that is deleted; the others go with root.
a > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 8, ResourceName: "1", Configs: [{Name: kafka_trouble, Value: TRACE}, {Name: root, Value: FATAL}]}]}
a < {Responses: [{ErrorCode: NONE, ResourceType: 8, ResourceName: "1"}]}
a > DescribeConfigs 4 {Resources: [{ResourceType: 8, ResourceName: "1", ConfigurationKeys: [root, store, kafka_trouble]}]}
a < {Results: [{Configs: [{Name: root, Value: FATAL}, {Name: store, Value: FATAL}, {Name: kafka_trouble, Value: TRACE}]}]}
a > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 8, ResourceName: "1", Configs: [{Name: kafka_trouble, ConfigOperation: 1, Value: null}]}]}
a < {Responses: [{ErrorCode: NONE}]}
a > IncrementalAlterConfigs 1 {ValidateOnly: true, Resources: [{ResourceType: 8, ResourceName: "1", Configs: [{Name: root, Value: DEBUG}]}]}
a < {Responses: [{ErrorCode: NONE}]}
a > DescribeConfigs 4 {Resources: [{ResourceType: 8, ResourceName: "1", ConfigurationKeys: [root, kafka_trouble]}]}
a < {Results: [{Configs: [{Name: root, Value: FATAL}, {Name: kafka_trouble, Value: FATAL}]}]}

# What cannot be; nothing of such a request counts.
a > IncrementalAlterConfigs 1 {Resources: [
        {ResourceType: 8, ResourceName: "1", Configs: [{Name: root, Value: INFO}, {Name: none, Value: INFO}]}
        {ResourceType: 8, ResourceName: "1", Configs: [{Name: root, Value: info}]}
        {ResourceType: 8, ResourceName: "1", Configs: [{Name: root, ConfigOperation: 1, Value: null}]}
        {ResourceType: 8, ResourceName: "1", Configs: [{Name: root, ConfigOperation: 2, Value: INFO}]}
        {ResourceType: 8, ResourceName: "2", Configs: [{Name: root, Value: INFO}]}
        {ResourceType: 8, ResourceName: "", Configs: [{Name: root, Value: INFO}]}]}
a < {Responses: [{ErrorCode: INVALID_CONFIG}, {ErrorCode: INVALID_CONFIG}, {ErrorCode: INVALID_REQUEST}, {ErrorCode: INVALID_REQUEST}
        {ErrorCode: INVALID_REQUEST}, {ErrorCode: INVALID_REQUEST}]}
a > DescribeConfigs 4 {Resources: [{ResourceType: 8, ResourceName: "1", ConfigurationKeys: [root]}, {ResourceType: 8, ResourceName: ""}]}
a < {Results: [{Configs: [{Name: root, Value: FATAL}]}, {ErrorCode: INVALID_REQUEST, Configs: []}]}
a > AlterConfigs 2 {Resources: [{ResourceType: 8, ResourceName: "1", Configs: [{Name: root, Value: INFO}]}]}
a < {Responses: [{ErrorCode: INVALID_REQUEST}]}
a > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 8, ResourceName: "1", Configs: [{Name: root, Value: $level}]}]}
a < {Responses: [{ErrorCode: NONE}]}
