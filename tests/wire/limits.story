# How many may connect: max.connections, max.connections.per.ip and its overrides, max.connection.creation.rate.

admin > ApiVersions 0 {}
admin < {ErrorCode: NONE}

# One too many from an address is closed at once; when one has gone there is room again.
admin > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 4, ResourceName: "", Configs: [{Name: max.connections.per.ip, Value: "2"}]}]}
admin < {Responses: [{ErrorCode: NONE}]}
a > ApiVersions 0 {}
a < {ErrorCode: NONE}
b >> 00
b is cut off
admin > ApiVersions 0 {}
admin < {ErrorCode: NONE}
a closes
wait 100 ms
c > ApiVersions 0 {}
c < {ErrorCode: NONE}
c closes
wait 100 ms

# An address may have more, or fewer; what is no address is refused, and so is nobody at all.
admin > IncrementalAlterConfigs 1 {Resources: [
        {ResourceType: 4, ResourceName: "", Configs: [{Name: max.connections.per.ip.overrides, Value: "10.0.0.1:1, 127.0.0.1:3"}]}
        {ResourceType: 4, ResourceName: "1", Configs: [{Name: max.connections.per.ip.overrides, Value: "127.0.0.1"}]}
        {ResourceType: 4, ResourceName: "1", Configs: [{Name: max.connections.per.ip, Value: "0"}]}]}
admin < {Responses: [{ErrorCode: NONE}, {ErrorCode: INVALID_CONFIG}, {ErrorCode: INVALID_CONFIG}]}
d > ApiVersions 0 {}
d < {ErrorCode: NONE}
e > ApiVersions 0 {}
e < {ErrorCode: NONE}
f >> 00
f is cut off
admin > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 4, ResourceName: "", Configs: [
        {Name: max.connections.per.ip, ConfigOperation: 1}, {Name: max.connections.per.ip.overrides, ConfigOperation: 1}]}]}
admin < {Responses: [{ErrorCode: NONE}]}

# With fewer connections than there are, those go that were silent longest. Who comes now waits until there is a place.
wait 1 s
d > ApiVersions 0 {}
d < {ErrorCode: NONE}
admin > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 4, ResourceName: "1", Configs: [{Name: max.connections, Value: "2"}]}]}
admin < {Responses: [{ErrorCode: NONE}]}
e is cut off
d > ApiVersions 0 {}
d < {ErrorCode: NONE}
g > ApiVersions 0 {}
g < nothing for 5 s
d closes
g < {ErrorCode: NONE} after 0 ms
h > ApiVersions 0 {}
h < nothing for 1 s
admin > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 4, ResourceName: "1", Configs: [{Name: max.connections, ConfigOperation: 1}]}]}
admin < {Responses: [{ErrorCode: NONE}]}
h < {ErrorCode: NONE} after 0 ms

# Past the rate, too, they wait: ten seconds' worth may come at once.
admin > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 4, ResourceName: "", Configs: [{Name: max.connection.creation.rate, Value: "1"}]}]}
admin < {Responses: [{ErrorCode: NONE}]}
r0 >> 00
r1 >> 00
r2 >> 00
r3 >> 00
r4 >> 00
r5 >> 00
r6 >> 00
r7 >> 00
r8 >> 00
r9 > ApiVersions 0 {}
r9 < {ErrorCode: NONE} after 0 ms
s > ApiVersions 0 {}
s < {ErrorCode: NONE} after 900 ms
